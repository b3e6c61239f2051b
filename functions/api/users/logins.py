"""Routes by which users come in and go out."""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from domain.users import RegistrationClosedError, Session, User, rehashed
from functions.api.access import identify
from functions.api.action_log import note, user_name
from functions.api.error_shape import describe
from functions.api.errors import InvalidLoginError, UnauthenticatedError
from functions.api.openapi import LOGIN_BODY
from functions.api.schemas import Message
from functions.api.users.dependencies import CountedSource, Credentials, Throttles, TokenMaker, Users
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
from infra.users.access_tokens import ACCESS_LIFETIME, Claims, InvalidTokenError, Kind, Tokens
from infra.users.login_throttle import account_of
from infra.users.passwords import hash_password, verify_password
from infra.users.sessions import CredentialStore

router = APIRouter(tags=["authentication"])

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 10
_OWN_SESSION = LogoutPayload()


@router.post("/api/v1/auth/register", status_code=201, responses=describe(400, 403, 413, 422, 429, 503))
async def register(
    request: Request, payload: RegistrationPayload, users: Users, _: CountedSource
) -> UserView:
    """Make a user, who may read; an admin may give more."""
    if settings(ApiSettings).registration is not Registration.OPEN:
        raise RegistrationClosedError
    user = new_user(payload, utc_now())
    users.create(user)
    note(request, target=user_name(user.id), role=user.role)
    return UserView.of(user)


def new_user(payload: RegistrationPayload, at: datetime) -> User:
    """Return the user that `payload` describes, with the password hashed."""
    told = payload.model_dump(exclude={"password"})
    hashed = hash_password(payload.password.get_secret_value())
    return User(id=uuid4().hex, password_hash=hashed, created_at=at, updated_at=at, **told)


@router.post("/api/v1/auth/login", responses=describe(401, 413, 422, 429, 503), openapi_extra=LOGIN_BODY)
@router.post("/api/v1/auth/token", responses=describe(401, 413, 422, 429, 503), openapi_extra=LOGIN_BODY)
@router.post("/token", responses=describe(401, 413, 422, 429, 503), openapi_extra=LOGIN_BODY)
async def log_in(
    request: Request,
    users: Users,
    credentials: Credentials,
    throttles: Throttles,
    maker: TokenMaker,
    source: CountedSource,
) -> TokenView:
    """Begin a session with a username or an email address, and the password."""
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
        # Where another change comes in between, a later login does this.
        users.replace(user, rehashed(user, verified.new_hash))
    session = Session.of(user, uuid4().hex, uuid4().hex, now)
    credentials.start(session)
    throttles.remember(account, source, now)
    note(request, actor=user_name(user.id))
    return _tokens(maker, session, now)


async def _read_login(request: Request) -> LoginPayload:
    """Read a login, as JSON or as a form."""
    body = await request.body()
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            return LoginPayload.model_validate_json(body)
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
        return LoginForm.model_validate(dict(fields))
    except ValidationError as error:
        told: list[Any] = error.errors(include_url=False, include_input=False, include_context=False)
    except ValueError:
        told = [{"type": "value_error", "loc": (), "msg": "must be a form of UTF-8"}]
    raise RequestValidationError([detail | {"loc": ("body", *detail["loc"])} for detail in told])


@router.post("/api/v1/auth/refresh", responses=describe(401, 413, 422, 503))
async def refresh(
    request: Request, payload: RefreshPayload, credentials: Credentials, maker: TokenMaker
) -> TokenView:
    """Give out the next tokens of a session; a refresh token that comes again ends it."""
    claims, now = _read_refresh(maker, payload.refresh_token), utc_now()
    note(request, actor=user_name(claims.user_id))
    user, session = credentials.session(claims.user_id, claims.session_id)
    if user is None or session is None or not session.counts(user, now):
        raise UnauthenticatedError
    fresh = uuid4().hex
    if claims.id != session.refresh_id or not credentials.rotate(session, fresh):
        credentials.end(session.user_id, session.id)
        note(request, reused=True)
        raise UnauthenticatedError
    return _tokens(maker, session, now, fresh)


@router.post(
    "/api/v1/auth/logout",
    responses=describe(401, 413, 422, 503),
    openapi_extra={"security": [{}, {"password": []}]},
)
async def log_out(
    request: Request,
    credentials: Credentials,
    maker: TokenMaker,
    payload: LogoutPayload = _OWN_SESSION,
) -> Message:
    """End a session: that of the refresh token in the body, or without one that of the access token."""
    token = payload.refresh_token
    session = _session_of(maker, credentials, token) if token else identify(request).session
    if session is None:
        raise UnauthenticatedError
    credentials.end(session.user_id, session.id)
    note(request, actor=user_name(session.user_id))
    return Message(message="Logged out.")


def _session_of(maker: Tokens, credentials: CredentialStore, token: str) -> Session | None:
    claims = _read_refresh(maker, token)
    return credentials.session(claims.user_id, claims.session_id)[1]


def _read_refresh(maker: Tokens, token: str) -> Claims:
    try:
        return maker.read(Kind.REFRESH, token)
    except InvalidTokenError as error:
        raise UnauthenticatedError from error


def _tokens(maker: Tokens, session: Session, at: datetime, refresh_id: str | None = None) -> TokenView:
    ids = session.user_id, session.id
    access = maker.issue(Kind.ACCESS, Claims(*ids, uuid4().hex), at, at + ACCESS_LIFETIME)
    last = Claims(*ids, refresh_id or session.refresh_id)
    return TokenView(
        access_token=access,
        expires_in=int(ACCESS_LIFETIME.total_seconds()),
        refresh_token=maker.issue(Kind.REFRESH, last, at, session.expires_at),
    )
