"""API keys as machines send them, and as they are told apart: only a hash is kept."""

import hmac
import re
from hashlib import sha256
from typing import NamedTuple

from domain.users import ApiKey

_SHAPE = re.compile(r"eo_([0-9a-f]{32})_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)


class ShownKey(NamedTuple):
    """What a key says: whose it is, which one, and the secret that proves it."""

    user_id: str
    id: str
    secret: str

    def __str__(self) -> str:
        return f"eo_{self.user_id}_{self.id}_{self.secret}"

    @property
    def hash(self) -> str:
        """What is kept of the secret; 256 bits of chance need no slow hash."""
        return sha256(self.secret.encode()).hexdigest()


class InvalidApiKeyError(Exception):
    """Text that is no API key of this service."""


def read_api_key(text: str) -> ShownKey:
    """Read a key as it is sent.

    Raises:
        InvalidApiKeyError: it has another form.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise InvalidApiKeyError
    return ShownKey(*match.groups())


def matches(key: ApiKey, shown: ShownKey) -> bool:
    """Tell whether `shown` is `key`, in the same time whatever the difference."""
    return hmac.compare_digest(key.secret_hash, shown.hash)
