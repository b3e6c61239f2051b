"""Routes of API keys: credentials for machines, created and revoked by the users they act as."""

import secrets

from fastapi import Request

from domain.users import ApiKey
from functions.api.action_log import api_key_name, note
from functions.api.checked_routes import checked_router
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.error_statuses import ForbiddenError
from functions.api.schemas import Message
from functions.api.users.dependencies import ApiKeys, KeyId, Me
from functions.api.users.schemas import ApiKeyPage, ApiKeyPayload, ApiKeyView, NewApiKeyView
from infra.contracts.event_payloads import utc_now
from infra.users.api_key_format import ApiKeyText

router = checked_router(prefix="/api/v1/api-keys", tags=["API keys"])


@router.post("", status_code=201, responses=describe(ErrorCode.TOO_MANY_API_KEYS))
async def create_api_key(
    request: Request, payload: ApiKeyPayload, me: Me, api_keys: ApiKeys
) -> NewApiKeyView:
    """Create an API key; only this answer ever shows it."""
    note(request, role=payload.role)
    if not me.role.includes(payload.role):
        raise ForbiddenError
    text = ApiKeyText(me.id, secrets.token_hex(8), secrets.token_hex(32))
    key = ApiKey(text.id, me.id, payload.name, payload.role, utc_now(), text.hash, epoch=me.key_epoch)
    api_keys.create(key)
    note(request, target=api_key_name(key.id))
    return NewApiKeyView.of_new(key, str(text))


@router.get("")
async def list_api_keys(me: Me, api_keys: ApiKeys) -> ApiKeyPage:
    """List your own API keys, the oldest first."""
    return ApiKeyPage(items=[ApiKeyView.of(key) for key in api_keys.list_of(me.id)], next_cursor=None)


@router.delete("/{key_id}", responses=describe(ErrorCode.API_KEY_NOT_FOUND))
async def revoke_api_key(key_id: KeyId, me: Me, api_keys: ApiKeys) -> Message:
    """Revoke one of your own API keys; the next request with it is refused."""
    api_keys.revoke(me.id, key_id)
    return Message(message="API key revoked.")
