"""Access and refresh tokens: JWTs signed with HS256, by a key that the header names.

What a token says is where its session is found; whether that still counts is the table's to say.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from infra.secrets import SigningKey

ISSUER = "energy-operations"
AUDIENCE = "energy-operations-api"
PURPOSE = "tokens"
"""What the signing keys are made for."""
ACCESS_LIFETIME = timedelta(minutes=15)

_ALGORITHM = "HS256"
_MAX_LENGTH = 1024
_CLAIMS = ["iss", "aud", "exp", "iat", "jti", "sub", "sid", "typ"]
# The one spelling of a token: base64 has bits to spare in the last of the 43 characters of a signature,
# and a lenient reader would take any of four.
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


class Kind(StrEnum):
    """What a token is for; one kind never counts as the other."""

    ACCESS = "access"
    REFRESH = "refresh"


class Claims(NamedTuple):
    """Whose token this is, of which session, and its own id."""

    user_id: str
    session_id: str
    id: str


class InvalidTokenError(Exception):
    """A token that this service did not give out for this, or whose time has passed."""


class Tokens:
    """Issues and reads tokens with keys that are asked for when first needed, the current one first."""

    def __init__(self, keys: Callable[[], tuple[SigningKey, ...]]) -> None:
        self._keys = keys

    def issue(self, kind: Kind, claims: Claims, at: datetime, until: datetime) -> str:
        """Return a token that counts from `at` until `until`."""
        import jwt  # noqa: PLC0415 - what needs no credentials needs not wait for it

        key = self._keys()[0]
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.user_id,
            "sid": claims.session_id,
            "jti": claims.id,
            "typ": kind,
            "iat": int(at.timestamp()),
            "exp": int(until.timestamp()),
        }
        return jwt.encode(payload, key.secret, _ALGORITHM, headers={"kid": key.id})

    def read(self, kind: Kind, token: str) -> Claims:
        """Return what a token of this `kind` says.

        Raises:
            InvalidTokenError: it does not count, for whatever reason.
        """
        import jwt  # noqa: PLC0415 - see above

        if len(token) > _MAX_LENGTH or not _SHAPE.fullmatch(token):
            raise InvalidTokenError
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            secret = next((key.secret for key in self._keys() if key.id == key_id), None)
            if secret is None:
                raise InvalidTokenError
            claims = jwt.decode(
                token,
                secret,
                algorithms=[_ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": _CLAIMS, "strict_aud": True},
            )
        except (jwt.InvalidTokenError, RecursionError) as error:
            raise InvalidTokenError from error
        if claims["typ"] != kind:
            raise InvalidTokenError
        return Claims(claims["sub"], claims["sid"], claims["jti"])
