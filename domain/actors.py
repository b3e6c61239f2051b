"""Who brought about a change: a user, an API key, a publisher on the bus, or nobody in particular."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """What kind of caller an actor is."""

    USER = "user"
    API_KEY = "api_key"
    ANONYMOUS = "anonymous"
    PUBLISHER = "publisher"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who brought about a change.

    A user's id and username, an API key's id and name, or of a publisher on the bus the account
    and the source that its envelope names; nothing where nobody was asked for credentials.
    """

    kind: ActorKind
    id: str | None = None
    name: str | None = None


_MAX_NAME_LENGTH = 256
"""Characters of an account or a source; EventBridge allows no more."""


def publisher(account: object, source: object) -> Actor:
    """Return a publisher, by what stands in the envelope as account and source: nothing where that is no name."""
    return Actor(ActorKind.PUBLISHER, _name(account), _name(source))


def _name(value: object) -> str | None:
    is_name = isinstance(value, str) and 0 < len(value) <= _MAX_NAME_LENGTH and value.isprintable()
    return str(value) if is_name else None
