"""The service's signing secret, from Secrets Manager, and the signing keys derived from it.

The secret is JSON, `{"current": "…", "previous": "…"}`; `previous` may be missing. A rotation moves the former
`current` to `previous`: tokens signed with it are accepted as long as it is there.
"""

import hmac
import json
import time
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from infra.aws import secrets_manager

_KEEP_SECONDS = 300
_SHORTEST = 32


class UnusableSecretError(Exception):
    """The signing secret is missing, or too short to sign with."""


class SigningKey(NamedTuple):
    """A key of 256 bits, and its id, which tokens carry."""

    id: str
    secret: bytes


def signing_secret(name: str) -> bytes:
    """Return the current secret."""
    return _secrets(name)[0]


def signing_keys(name: str, purpose: str) -> tuple[SigningKey, ...]:
    """Return the keys for one `purpose`, derived from the secret: the current key, and the previous one if any.

    Each purpose has its own keys, so a signature for one purpose is not valid for another.
    """
    return tuple(_derive(secret, purpose) for secret in _secrets(name))


def _derive(secret: bytes, purpose: str) -> SigningKey:
    key = hmac.digest(secret, f"purpose:{purpose}".encode(), sha256)
    return SigningKey(sha256(key).hexdigest()[:16], key)


def _secrets(name: str) -> tuple[bytes, ...]:
    """Read the secret; it is cached for five minutes, so a rotation takes effect within that time.

    Raises:
        UnusableSecretError: the secret is empty or too short.
    """
    text = _read(name, int(time.time() // _KEEP_SECONDS))
    versions = json.loads(text) if text.startswith("{") else {"current": text}
    secrets = [versions.get("current") or "", versions.get("previous") or ""]
    found = tuple(str(secret).encode() for index, secret in enumerate(secrets) if secret or index == 0)
    if any(len(secret) < _SHORTEST for secret in found):
        raise UnusableSecretError(f"The signing secret needs at least {_SHORTEST} characters.")
    return found


@lru_cache(maxsize=2)
def _read(name: str, _period: int) -> str:
    """Read the secret once in each period of five minutes."""
    return secrets_manager().get_secret_value(SecretId=name)["SecretString"]


def forget() -> None:
    """Read the secret again when it is needed next."""
    _read.cache_clear()
