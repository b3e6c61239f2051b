"""Routes of API keys: credentials for machines, made and revoked by the users they act as."""

import secrets

from fastapi import APIRouter, Request

from domain.users import ApiKey
from functions.api.action_log import api_key_name, note
from functions.api.error_shape import describe
from functions.api.errors import ForbiddenError
from functions.api.schemas import Message
from functions.api.users.dependencies import Credentials, KeyId, Me
from functions.api.users.schemas import ApiKeyPage, ApiKeyPayload, ApiKeyView, NewApiKeyView
from infra.contracts.event_payloads import utc_now
from infra.users.api_keys import ShownKey

router = APIRouter(prefix="/api/v1/api-keys", tags=["API keys"])


@router.post("", status_code=201, responses=describe(409, 413, 422, 503))
async def create_api_key(
    request: Request, payload: ApiKeyPayload, me: Me, credentials: Credentials
) -> NewApiKeyView:
    """Make an API key; the answer is the only place it is ever shown."""
    note(request, role=payload.role)
    if not me.role.includes(payload.role):
        raise ForbiddenError
    shown = ShownKey(me.id, secrets.token_hex(8), secrets.token_hex(32))
    key = ApiKey(shown.id, me.id, payload.name, payload.role, utc_now(), shown.hash, epoch=me.key_epoch)
    credentials.add_api_key(key)
    note(request, target=api_key_name(key.id))
    return NewApiKeyView.of_new(key, str(shown))


@router.get("", responses=describe(503))
async def list_api_keys(me: Me, credentials: Credentials) -> ApiKeyPage:
    """List one's own API keys, the oldest first."""
    return ApiKeyPage(items=[ApiKeyView.of(key) for key in credentials.api_keys(me.id)])


@router.delete("/{key_id}", responses=describe(404, 422, 503))
async def revoke_api_key(key_id: KeyId, me: Me, credentials: Credentials) -> Message:
    """Revoke one of one's own API keys; the next request with it is refused."""
    credentials.revoke_api_key(me.id, key_id)
    return Message(message="API key revoked.")
