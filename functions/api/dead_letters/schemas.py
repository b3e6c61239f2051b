"""JSON shapes of the routes of dead letters."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infra.contracts.event_payloads import Instant, Payload
from infra.dead_letters import NEVER_REDRIVEN, DeadLetter

Queue = Literal["rule", "ingestion", "publisher", "portfolio", "export"]
RedrivableId = Annotated[
    str,
    Field(
        strict=True,
        pattern=r"^(rule|ingestion):[0-9A-Za-z-]{1,100}$",
        examples=["ingestion:5fea7756-0ea4-451a-a703-a558b933e274"],
    ),
]

MOST_IDS = 200
_SHOWN_CHARACTERS = 500
_NAME_CHARACTERS = 128


class DeadLetterView(BaseModel):
    """A dead letter."""

    id: str = Field(description="Its queue and its message id; names it in a redrive")
    queue: Queue = Field(description="What could not process it")
    message_id: str = Field(description="What SQS calls it")
    reason: str = Field(
        description="Why it is a dead letter, as far as the message and the tables show it now"
    )
    redrivable: bool = Field(description="Whether it can be sent through the ingestion queue again")
    advice: str | None = Field(description="What to do instead where it cannot")
    event_id: str | None = Field(
        description="The publisher's id, or the envelope's; null where it is not readable"
    )
    contract_number: str | None
    smart_meter_id: str | None
    job_id: str | None
    receives: int = Field(description="Times it was received, in all queues and by lists too")
    sent_at: Instant = Field(description="When the message was sent first")
    first_received_at: Instant | None
    content: str = Field(description="What the publisher sent, cut after 500 characters")

    @classmethod
    def of(cls, letter: DeadLetter, reason: str) -> Self:
        """Show `letter`; nothing in it can be relied on, as anybody may have sent it."""
        advice = NEVER_REDRIVEN.get(letter.queue)
        detail, content = letter.detail, letter.content
        return cls(
            id=f"{letter.queue}:{letter.message_id}",
            queue=letter.queue,
            message_id=letter.message_id,
            reason=_shown(reason, _SHOWN_CHARACTERS),
            redrivable=advice is None,
            advice=advice,
            event_id=_name(detail, "id") or _name(content, "id"),
            contract_number=_name(detail, "contract_number"),
            smart_meter_id=_name(detail, "smart_meter_id"),
            job_id=_name(detail, "job_id"),
            receives=letter.receives,
            sent_at=letter.sent_at,
            first_received_at=letter.first_received_at,
            content=_shown(_text_of(letter), _SHOWN_CHARACTERS),
        )


def _text_of(letter: DeadLetter) -> str:
    return letter.body if letter.detail is None else json.dumps(letter.detail, ensure_ascii=False)


def _name(value: Any, field: str) -> str | None:  # noqa: ANN401 - whatever was sent
    found = value.get(field) if isinstance(value, dict) else None
    return _shown(found, _NAME_CHARACTERS) if isinstance(found, str) and found else None


def _shown(text: str, most: int) -> str:
    """Return `text` cut, with a mark for what UTF-8 cannot encode: JSON can escape half of a surrogate pair."""
    cut = text if len(text) <= most else f"{text[:most]}…"
    return cut.encode(errors="replace").decode()


class DeadLetterPage(BaseModel):
    """A page of dead letters, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "id": "ingestion:5fea7756-0ea4-451a-a703-a558b933e274",
                            "queue": "ingestion",
                            "message_id": "5fea7756-0ea4-451a-a703-a558b933e274",
                            "reason": "date: must be a date like 2024-01-31",
                            "redrivable": True,
                            "advice": None,
                            "event_id": "crm-4711",
                            "contract_number": "1001",
                            "smart_meter_id": None,
                            "job_id": None,
                            "receives": 7,
                            "sent_at": "2024-03-01T09:30:00Z",
                            "first_received_at": "2024-03-01T09:30:01Z",
                            "content": '{"type": "supply_energy_start", "contract_number": "1001", "date": "soon"}',
                        }
                    ],
                    "next_cursor": "gAAAAABnP0cE",
                    "counts": {"rule": 0, "ingestion": 1, "publisher": 0, "portfolio": 0, "export": 0},
                }
            ]
        }
    )

    items: list[DeadLetterView]
    next_cursor: str | None = Field(description="Send this to get the next page; null on the last page")
    counts: dict[Queue, int] = Field(description="About how many each queue has, whatever is listed")


class RedrivePayload(Payload):
    """Which dead letters to send again: `ids`, or all."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ids": ["ingestion:5fea7756-0ea4-451a-a703-a558b933e274"]}],
            "oneOf": [{"required": ["ids"]}, {"required": ["all"]}],
        }
    )

    ids: list[RedrivableId] | None = Field(default=None, min_length=1, max_length=MOST_IDS)
    all: Literal[True] | None = Field(default=None, description="All of the rule and the ingestion function")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.ids is None) == (self.all is None):
            raise ValueError("must have either ids or all")
        return self

    @property
    def selected(self) -> dict[str, set[str]] | None:
        """The message ids of each queue, or None for all."""
        if self.ids is None:
            return None
        selected: dict[str, set[str]] = {}
        for queue, _, message_id in (one.partition(":") for one in self.ids):
            selected.setdefault(queue, set()).add(message_id)
        return selected


class RedriveView(BaseModel):
    """What a redrive did."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"redriven": 1, "gone": 0, "left": 0}]})

    redriven: int = Field(description="Sent through the ingestion queue again")
    gone: int = Field(
        description="Not there: redriven before, expired, or being read by someone else right now"
    )
    left: int = Field(description="Those there was no time for, about; send the request again")
