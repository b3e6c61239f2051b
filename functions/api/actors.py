"""Who calls, as trails and histories name it."""

from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel

from domain.actors import Actor, ActorKind
from domain.users import Caller


def actor_of(caller: Caller) -> Actor:
    """Return how a trail or history names `caller`: an API key by itself, since its owner may have several."""
    if caller.api_key is not None:
        return Actor(ActorKind.API_KEY, caller.api_key.id, caller.api_key.name)
    if caller.user is not None:
        return Actor(ActorKind.USER, caller.user.id, caller.user.username)
    return Actor(ActorKind.ANONYMOUS)


async def actor(request: Request) -> Actor:
    """Return how a trail or history names the caller."""
    return actor_of(request.state.caller)


CurrentActor = Annotated[Actor, Depends(actor)]


class ActorView(BaseModel):
    """Who brought about a change: a user, an API key, or a publisher by its account and source."""

    kind: ActorKind
    id: str | None
    name: str | None

    @classmethod
    def of(cls, actor: Actor) -> "ActorView":
        """Show `actor`."""
        return cls(kind=actor.kind, id=actor.id, name=actor.name)
