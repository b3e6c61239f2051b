"""The text of an API key as machines send it, and the check of its secret against the stored hash."""

import hmac
import re
from hashlib import sha256
from typing import NamedTuple

from domain.users import ApiKey

_SHAPE = re.compile(r"eo_([0-9a-f]{32})_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)


class ApiKeyText(NamedTuple):
    """What the text of a key contains: its owner, its id, and its secret."""

    user_id: str
    id: str
    secret: str

    def __str__(self) -> str:
        return f"eo_{self.user_id}_{self.id}_{self.secret}"

    @property
    def hash(self) -> str:
        """What is stored of the secret; 256 random bits need no slow hash."""
        return sha256(self.secret.encode()).hexdigest()


class InvalidApiKeyError(Exception):
    """Text that is not an API key of this service."""


def parse_api_key(text: str) -> ApiKeyText:
    """Parse the text of a key.

    Raises:
        InvalidApiKeyError: the text has another form.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise InvalidApiKeyError
    return ApiKeyText(*match.groups())


def matches(key: ApiKey, text: ApiKeyText) -> bool:
    """Return whether `text` has the secret of `key`; compared in constant time."""
    return hmac.compare_digest(key.secret_hash, text.hash)
