"""Routes of registration, login, refresh and logout."""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from domain.users import RegistrationClosedError, Session, User, rehashed
from functions.api.access import identify
from functions.api.action_log import note, user_name
from functions.api.checked_routes import checked_router
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.error_statuses import InvalidLoginError, UnauthenticatedError
from functions.api.openapi import LOGIN_BODY, TOKEN_BODY
from functions.api.schemas import Message
from functions.api.users.dependencies import CountedSource, Sessions, Throttles, TokenIssuer, Users
from functions.api.users.schemas import (
    LoginForm,
    LoginPayload,
    LogoutPayload,
    RefreshPayload,
    RegistrationPayload,
    TokenView,
    UserView,
)
from infra.contracts.event_payloads import utc_now
from infra.settings import ApiSettings, Registration, settings
from infra.users.login_throttle import account_of
from infra.users.passwords import hash_password, verify_password
from infra.users.session_store import SessionStore
from infra.users.tokens import ACCESS_LIFETIME, Claims, InvalidTokenError, Kind, Tokens

router = checked_router(tags=["authentication"])

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 10
_OWN_SESSION = LogoutPayload()
_LOGIN_ERRORS = describe(ErrorCode.INVALID_CREDENTIALS, ErrorCode.TOO_MANY_ATTEMPTS)


@router.post(
    "/api/v1/auth/register",
    status_code=201,
    responses=describe(ErrorCode.USER_EXISTS, ErrorCode.REGISTRATION_CLOSED, ErrorCode.TOO_MANY_ATTEMPTS),
)
async def register(
    request: Request, payload: RegistrationPayload, users: Users, _: CountedSource
) -> UserView:
    """Create a user with the role viewer; an admin can change the role."""
    if settings(ApiSettings).registration is not Registration.OPEN:
        raise RegistrationClosedError
    user = new_user(payload, utc_now())
    users.create(user)
    note(request, target=user_name(user.id), role=user.role)
    return UserView.of(user)


def new_user(payload: RegistrationPayload, at: datetime) -> User:
    """Return the user that `payload` describes, with the password hashed."""
    fields = payload.model_dump(exclude={"password"})
    hashed = hash_password(payload.password.get_secret_value())
    return User(id=uuid4().hex, password_hash=hashed, created_at=at, updated_at=at, **fields)


@router.post("/api/v1/auth/login", responses=_LOGIN_ERRORS, openapi_extra=LOGIN_BODY)
@router.post(
    "/api/v1/auth/token",
    responses=_LOGIN_ERRORS,
    openapi_extra=TOKEN_BODY,
    operation_id="log_in_oauth2",
    summary="Log In (token endpoint of OAuth2)",
)
@router.post(
    "/token",
    responses=_LOGIN_ERRORS,
    openapi_extra=TOKEN_BODY,
    operation_id="log_in_short",
    summary="Log In (short address of the token endpoint)",
)
async def log_in(
    request: Request,
    users: Users,
    sessions: Sessions,
    throttles: Throttles,
    issuer: TokenIssuer,
    source: CountedSource,
) -> TokenView:
    """Start a session with a username or an email address, and the password; as JSON or as a form, at every address."""
    login, now = await _read_login(request), utc_now()
    user = users.by_login(login.username)
    note(request, target=user_name(user.id) if user else None)
    account = account_of(user.id if user else None, login.username)
    throttles.count_login(account, source, now)
    password = login.password.get_secret_value()
    verified = verify_password(password, user.password_hash if user else None)
    if user is None or not verified.right or not user.is_active:
        raise InvalidLoginError
    if verified.new_hash:
        # If another change is stored in between, the next login replaces the hash.
        users.replace(user, rehashed(user, verified.new_hash))
    session = Session.of(user, uuid4().hex, uuid4().hex, now)
    sessions.start(session)
    throttles.remember(account, source, now)
    note(request, actor=user_name(user.id))
    return _tokens(issuer, session, now)


async def _read_login(request: Request) -> LoginPayload:
    """Read a login, as JSON or as a form."""
    body = await request.body()
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            return LoginPayload.model_validate_json(body)
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
        return LoginForm.model_validate(dict(fields))
    except ValidationError as error:
        details: list[Any] = error.errors(include_url=False, include_input=False, include_context=False)
    except ValueError:
        details = [{"type": "value_error", "loc": (), "msg": "must be a form in UTF-8"}]
    raise RequestValidationError([detail | {"loc": ("body", *detail["loc"])} for detail in details])


@router.post("/api/v1/auth/refresh", responses=describe(ErrorCode.UNAUTHORIZED))
async def refresh(
    request: Request, payload: RefreshPayload, sessions: Sessions, issuer: TokenIssuer
) -> TokenView:
    """Issue the next tokens of a session; using a refresh token twice ends the session."""
    claims, now = _read_refresh(issuer, payload.refresh_token), utc_now()
    note(request, actor=user_name(claims.user_id))
    user, session = sessions.get(claims.user_id, claims.session_id)
    if user is None or session is None or not session.is_valid(user, now):
        raise UnauthenticatedError
    next_id = uuid4().hex
    if claims.id != session.refresh_id or not sessions.rotate(session, next_id):
        sessions.end(session.user_id, session.id)
        note(request, reused=True)
        raise UnauthenticatedError
    return _tokens(issuer, session, now, next_id)


@router.post(
    "/api/v1/auth/logout",
    responses=describe(ErrorCode.UNAUTHORIZED),
    openapi_extra={"security": [{}, {"password": []}]},
)
async def log_out(
    request: Request,
    sessions: Sessions,
    issuer: TokenIssuer,
    payload: LogoutPayload = _OWN_SESSION,
) -> Message:
    """End the session of the refresh token in the body, or without one the session of the access token."""
    token = payload.refresh_token
    session = _session_of(issuer, sessions, token) if token else identify(request).session
    if session is None:
        raise UnauthenticatedError
    sessions.end(session.user_id, session.id)
    note(request, actor=user_name(session.user_id))
    return Message(message="Logged out.")


def _session_of(issuer: Tokens, sessions: SessionStore, token: str) -> Session | None:
    claims = _read_refresh(issuer, token)
    return sessions.get(claims.user_id, claims.session_id)[1]


def _read_refresh(issuer: Tokens, token: str) -> Claims:
    try:
        return issuer.read(Kind.REFRESH, token)
    except InvalidTokenError as error:
        raise UnauthenticatedError from error


def _tokens(issuer: Tokens, session: Session, at: datetime, refresh_id: str | None = None) -> TokenView:
    ids = session.user_id, session.id
    access = issuer.issue(Kind.ACCESS, Claims(*ids, uuid4().hex), at, at + ACCESS_LIFETIME)
    refresh_claims = Claims(*ids, refresh_id or session.refresh_id)
    return TokenView(
        access_token=access,
        expires_in=int(ACCESS_LIFETIME.total_seconds()),
        refresh_token=issuer.issue(Kind.REFRESH, refresh_claims, at, session.expires_at),
    )
