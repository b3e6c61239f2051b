"""Routes of dead letters: what could not be processed and why, and sending it again."""

from typing import Annotated

from fastapi import Query, Request

from domain.instants import from_micros, to_micros
from functions.api.action_log import note
from functions.api.checked_routes import checked_router
from functions.api.dead_letters.dependencies import DeadLetterReasons, DeadLetters
from functions.api.dead_letters.schemas import (
    DeadLetterPage,
    DeadLetterView,
    Queue,
    RedrivePayload,
    RedriveView,
)
from functions.api.dependencies import Cursor, Limit, Pages
from infra.contracts.event_payloads import utc_now
from infra.dead_letter_queues import position_of
from infra.dead_letter_reasons import Reasons
from infra.dead_letters import QUEUES, DeadLetter
from infra.parallel import in_parallel
from infra.time_left import within

router = checked_router(prefix="/dead-letters", tags=["dead letters"])

OnlyQueue = Annotated[Queue | None, Query(description="Of one source; all without it")]

_REASONS_AT_ONCE = 8
_REDRIVE_SECONDS = 10
"""A redrive receives no more after this; what it received by then it still sends, well within a request."""


@router.get("")
async def list_dead_letters(
    queues: DeadLetters,
    reasons: DeadLetterReasons,
    pages: Pages,
    queue: OnlyQueue = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DeadLetterPage:
    """List dead letters with their reasons, the newest first, and count those of each queue.

    Of each queue at most 100 are read. SQS has no call that only looks: they are received, other
    lists and redrives do not see them for that moment, and each list counts as a receive. A new one
    may be missing for a minute.
    """
    scope = f"dead letters {queue}"
    after = pages.position(scope, cursor)
    letters = queues.listed([queue] if queue else QUEUES)
    if after is not None:
        sent_at, message_id = after.split(" ")
        last = from_micros(int(sent_at)), message_id
        letters = [letter for letter in letters if position_of(letter) < last]
    shown, rest = letters[:limit], letters[limit:]
    return DeadLetterPage(
        items=_with_reasons(shown, reasons),
        next_cursor=pages.next_cursor(scope, _position(shown[-1]) if rest else None),
        counts=queues.counts(),
    )


def _with_reasons(letters: list[DeadLetter], reasons: Reasons) -> list[DeadLetterView]:
    return in_parallel(
        lambda letter: [DeadLetterView.of(letter, reasons.of(letter))], letters, _REASONS_AT_ONCE
    )


def _position(letter: DeadLetter) -> str:
    sent_at, message_id = position_of(letter)
    return f"{to_micros(sent_at)} {message_id}"


@router.post("/redrive")
async def redrive_dead_letters(request: Request, payload: RedrivePayload, queues: DeadLetters) -> RedriveView:
    """Send dead letters of the rule and of the ingestion function through the ingestion queue again.

    Sending the request again is safe: what was redriven is gone, and an event that is applied already
    is not applied again. The other queues name records of the stream or ended jobs and have nothing to
    send; see `advice` in the list. What is still wrong with a message makes it a dead letter again.
    """
    done = queues.redrive(payload.selected, utc_now(), within(_REDRIVE_SECONDS))
    note(request, redriven=done.redriven, gone=done.gone, left=done.left)
    return RedriveView(**done._asdict())
