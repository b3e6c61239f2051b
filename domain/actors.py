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
