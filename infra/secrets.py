"""The service's signing secret, from Secrets Manager, and the keys made of it.

The secret is JSON, `{"current": "…", "previous": "…"}`; `previous` may be missing. To rotate it, what was
`current` becomes `previous`: tokens signed with it are accepted for as long as it stands there.
"""

import hmac
import json
from hashlib import sha256
from typing import NamedTuple

from aws_lambda_powertools.utilities import parameters

_KEEP_SECONDS = 300
_SHORTEST = 32


class UnusableSecretError(Exception):
    """The signing secret is missing, or too short to sign with."""


class SigningKey(NamedTuple):
    """A key of 256 bits and the id by which what it signed names it."""

    id: str
    secret: bytes


def signing_secret(name: str) -> bytes:
    """Return the secret that counts now."""
    return _secrets(name)[0]


def signing_keys(name: str, purpose: str) -> tuple[SigningKey, ...]:
    """Return the keys for one `purpose`, made of the secret: the current one, and the previous if any.

    Each purpose has keys of its own, so nothing signed for one counts for another.
    """
    return tuple(_derive(secret, purpose) for secret in _secrets(name))


def _derive(secret: bytes, purpose: str) -> SigningKey:
    key = hmac.digest(secret, f"purpose:{purpose}".encode(), sha256)
    return SigningKey(sha256(key).hexdigest()[:16], key)


def _secrets(name: str) -> tuple[bytes, ...]:
    """Read the secret; it is asked for again after five minutes, so a rotation arrives.

    Raises:
        UnusableSecretError: it is empty or too short.
    """
    text = str(parameters.get_secret(name, max_age=_KEEP_SECONDS))
    told = json.loads(text) if text.startswith("{") else {"current": text}
    secrets = [told.get("current") or "", told.get("previous") or ""]
    found = tuple(str(secret).encode() for index, secret in enumerate(secrets) if secret or index == 0)
    if any(len(secret) < _SHORTEST for secret in found):
        raise UnusableSecretError(f"The signing secret needs at least {_SHORTEST} characters.")
    return found
