"""Access and refresh tokens: JWTs signed with HS256, with a key that the header names.

A token only says which session it belongs to; the table says whether that session is still valid.
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
"""The purpose for which the signing keys are derived."""
ACCESS_LIFETIME = timedelta(minutes=15)

_ALGORITHM = "HS256"
_MAX_LENGTH = 1024
_CLAIMS = ["iss", "aud", "exp", "iat", "jti", "sub", "sid", "typ"]
# Exactly one spelling of each token: the last of the 43 base64 characters of a signature has two unused bits,
# so a lenient decoder would accept four spellings.
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


class Kind(StrEnum):
    """What a token is for; a token of one kind is never accepted as the other."""

    ACCESS = "access"
    REFRESH = "refresh"


class Claims(NamedTuple):
    """The user and the session of a token, and its own id."""

    user_id: str
    session_id: str
    id: str


class InvalidTokenError(Exception):
    """A token that this service did not issue for this purpose, or that has expired."""


class Tokens:
    """Issues and reads tokens; `keys` returns the signing keys when they are needed, the current one first."""

    def __init__(self, keys: Callable[[], tuple[SigningKey, ...]]) -> None:
        self._keys = keys

    def load_keys(self) -> None:
        """Read the signing keys, so that the next token need not wait for them."""
        self._keys()

    def issue(self, kind: Kind, claims: Claims, at: datetime, until: datetime) -> str:
        """Return a token that is valid from `at` until `until`."""
        import jwt  # noqa: PLC0415 - requests without tokens do not pay for the import

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
        """Return the claims of a token of this `kind`.

        Raises:
            InvalidTokenError: the token is not valid, for any reason.
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
