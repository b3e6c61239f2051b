"""Every code of an error, with its status, what it means and what to do about it.

This is the one table: the OpenAPI document and `docs/errors.md` are made of it and tested against it, and
`error_statuses.py` says which exception answers which code.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """What went wrong, for programs; the message is for people and may change."""

    status: int
    meaning: str
    remedy: str

    def __new__(cls, code: str, status: int, meaning: str, remedy: str) -> "ErrorCode":
        """Make a code with its facts."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.status, member.meaning, member.remedy = status, meaning, remedy
        return member

    # Every route
    VALIDATION_ERROR = (
        *("validation_error", 422),
        "The request is malformed, or names a query parameter that the route does not take",
        "Correct what `details` names; nothing was stored",
    )
    UNAUTHORIZED = (
        *("unauthorized", 401),
        "The credentials are missing, expired or revoked",
        "Log in, refresh the access token, or send a valid `X-API-Key`",
    )
    FORBIDDEN = (
        *("forbidden", 403),
        "The caller is known, but its role or kind of credentials does not allow this",
        "Use credentials with the role that the route asks for",
    )
    NOT_FOUND = "not_found", 404, "There is no such address", "Correct the path"
    METHOD_NOT_ALLOWED = (
        *("method_not_allowed", 405),
        "The address does not take this method",
        "Use one of the methods in the header `Allow`",
    )
    PAYLOAD_TOO_LARGE = "payload_too_large", 413, "The body is too large", "Send it in several requests"
    INVALID_CURSOR = (
        *("invalid_cursor", 400),
        "The cursor was not issued for this list and these parameters",
        "Begin again without `cursor`, or follow `next_cursor` with the parameters of the first page",
    )
    INTERNAL_ERROR = (
        *("internal_error", 500),
        "Something is wrong in the service; nothing was stored unless it says otherwise",
        "Report `request_id`; sending it again is not expected to help",
    )
    BUSY = (
        *("busy", 503),
        "Other writes came first; nothing was stored",
        "Send the same request again after `Retry-After` seconds",
    )
    OUTCOME_UNKNOWN = (
        *("outcome_unknown", 503),
        "The answer of the database was lost: the write may be stored or not",
        "Send the same request again after `Retry-After` seconds, best with an `id` or `Idempotency-Key`",
    )
    SERVICE_UNAVAILABLE = (
        *("service_unavailable", 503),
        "Something that the service depends on does not answer",
        "Send the same request again after `Retry-After` seconds",
    )
    CORS_REFUSED = (
        *("cors_refused", 400),
        "Web pages of this origin may not make this request",
        "Add the origin to `AllowedOrigins`",
    )
    UNKNOWN_HOST = (
        *("unknown_host", 400),
        "The service does not answer under this host name",
        "Use a configured name, or add it to `AllowedHosts`",
    )

    # Contracts, events, trails
    CONTRACT_EXISTS = (
        *("contract_exists", 409),
        "There is a contract of this number already",
        "Use another number, or `PATCH` the contract",
    )
    CONTRACT_NOT_FOUND = (
        *("contract_not_found", 404),
        "There is no contract of this number",
        "Correct the number, or create the contract first",
    )
    COMPONENT_IN_USE = (
        *("component_in_use", 409),
        "A component that has a start or an end cannot be removed",
        "Keep it in the list, or void its events first",
    )
    EVENT_NOT_FOUND = (
        *("event_not_found", 404),
        "The contract's trail has no event with this key",
        "Take `key` from `GET /contract/{contract_number}/events`",
    )
    ALREADY_VOIDED = "already_voided", 409, "The event was voided before", "Nothing: it no longer counts"
    IDEMPOTENCY_KEY_REUSED = (
        *("idempotency_key_reused", 422),
        "The `id` or `Idempotency-Key` belongs to another request",
        "Send the first payload unchanged, or use a new id",
    )
    AUDIT_DISABLED = (
        *("audit_disabled", 409),
        "This stage keeps no trail of events",
        "Deploy it with `EnableEventAudit=true`",
    )
    TRAIL_INCOMPLETE = (
        *("trail_incomplete", 409),
        "Events came in while no trail was kept, so it cannot be folded",
        "Ask without `as_of` and `known_at`; such a contract cannot be replayed",
    )
    TRAIL_TOO_LONG = (
        *("trail_too_long", 409),
        "The trail has more than 20,000 rows, and is not folded",
        "Read it page by page",
    )

    # Meters and exports
    METER_NOT_FOUND = (
        *("meter_not_found", 404),
        "There is no meter of this id",
        "Correct the id, or upload readings first",
    )
    METER_IS_SIMULATED = (
        *("meter_is_simulated", 409),
        "The readings of this meter are generated, not stored",
        "Use another meter",
    )
    INTERVAL_UNKNOWN = (
        *("interval_unknown", 409),
        "It is not known how often the meter sends readings",
        "Set `interval_seconds` with `PUT /api/meters/{smart_meter_id}`",
    )
    TIME_ZONE_UNSUPPORTED = (
        *("time_zone_unsupported", 400),
        "The zone's offset is no whole number of quarter hours in this time",
        "Ask for another zone or another time",
    )
    TOO_MANY_GAPS = "too_many_gaps", 400, "The answer would have more than 20,000 gaps", "Ask for fewer days"
    EXPORT_NOT_FOUND = "export_not_found", 404, "The caller has no export of this id", "Correct the id"
    EXPORT_NOT_READY = (
        *("export_not_ready", 404),
        "The export has no file, or not yet",
        "Ask for its status until it is completed",
    )
    EXPORT_EXPIRED = "export_expired", 410, "The file has been deleted", "Create the export again"
    EXPORT_FINISHED = "export_finished", 409, "The export has ended and cannot be cancelled", "Nothing"
    TOO_MANY_EXPORTS = (
        *("too_many_exports", 429),
        "Five exports of this user are open",
        "Wait until one has ended, or cancel one",
    )

    # Users and credentials
    INVALID_CREDENTIALS = (
        *("invalid_credentials", 401),
        "There is no active user with this name and password",
        "Correct the name or the password",
    )
    TOO_MANY_ATTEMPTS = (
        *("too_many_attempts", 429),
        "Too many attempts in a short time",
        "Wait `Retry-After` seconds",
    )
    REGISTRATION_CLOSED = "registration_closed", 403, "Only admins create users here", "Ask an admin"
    USER_EXISTS = (
        *("user_exists", 400),
        "Another user has this username or email address",
        "Choose another one",
    )
    USER_NOT_FOUND = "user_not_found", 404, "There is no user of this id", "Correct the id"
    WRONG_PASSWORD = (
        *("wrong_password", 400),
        "`current_password` is missing or wrong",
        "Send the present password with the change",
    )
    OWN_ACCOUNT = (
        *("own_account", 400),
        "Admins do not do this to their own account here",
        "Use `/api/v1/users/me`, or ask another admin",
    )
    LAST_ADMIN = "last_admin", 409, "One active admin has to remain", "Make another user an admin first"
    API_KEY_NOT_FOUND = "api_key_not_found", 404, "The caller has no API key of this id", "Correct the id"
    TOO_MANY_API_KEYS = (
        *("too_many_api_keys", 409),
        "The user has as many API keys as are allowed",
        "Revoke one that is no longer used",
    )
