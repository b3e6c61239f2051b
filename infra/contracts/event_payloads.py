"""What publishers and callers send, validated strictly; without FastAPI, so that every function can use it."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from domain.contracts.contract import CONTRACT_NUMBER_PATTERN
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.instants import format_instant, parse_date, parse_instant

_Time = TypeVar("_Time", date, datetime)


def _from_string(parse: Callable[[str], _Time], kind: type[_Time]) -> Callable[[Any], _Time]:
    def read(value: Any) -> _Time:  # noqa: ANN401
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError("must be a JSON string")  # noqa: TRY004 - pydantic reports ValueErrors
        return parse(value)

    return read


Instant = Annotated[
    datetime,
    PlainValidator(_from_string(parse_instant, datetime)),
    PlainSerializer(format_instant),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "ISO 8601 instant of the years 2000 to 2100; without an offset it is UTC",
            "examples": ["2024-01-01T00:00:00Z"],
        }
    ),
]
"""An instant in the one accepted form; lenient parsing would change the order of events."""

CalendarDate = Annotated[
    date,
    PlainValidator(_from_string(parse_date, date)),
    PlainSerializer(date.isoformat),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2024-01-31"]}),
]

ContractNumber = Annotated[str, Field(strict=True, pattern=CONTRACT_NUMBER_PATTERN, examples=["1001"])]
EventId = Annotated[str, Field(strict=True, min_length=1, max_length=128)]


_MAX_ERRORS = 20
_NOT_UTF8 = "must be text that UTF-8 can carry"


def is_carried_by_utf8(text: str) -> bool:
    """Return whether `text` can be stored, hashed and returned: it has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _all_different(components: list[Component]) -> list[Component]:
    if len(set(components)) < len(components):
        raise ValueError("must not name a component twice")
    return components


class Payload(BaseModel):
    """A body that is validated strictly: an unknown field is an error.

    No text in it may have a lone surrogate, which JSON can escape and UTF-8 cannot encode.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _at_most_some_unknown_fields(cls, sent: Any) -> Any:  # noqa: ANN401
        """Remove most unknown fields of a body that has very many; those that the error names remain."""
        if not isinstance(sent, dict) or len(sent) <= len(cls.model_fields) + _MAX_ERRORS:
            return sent
        known = {name: sent[name] for name in cls.model_fields if name in sent}
        unknown = (name for name in sent if name not in known)
        return known | {name: sent[name] for name in islice(unknown, _MAX_ERRORS)}

    @field_validator("*", mode="before")
    @classmethod
    def _carried_by_utf8(cls, value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, str) and not is_carried_by_utf8(value):
            raise ValueError(_NOT_UTF8)
        return value


Components = Annotated[
    list[Component],
    Field(min_length=1, max_length=len(Component), json_schema_extra={"uniqueItems": True}),
    AfterValidator(_all_different),
]


class ContractPayload(Payload):
    """A contract to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"contract_number": "1001", "components": ["energy_supply", "battery_optimization"]},
            ]
        }
    )

    contract_number: ContractNumber
    components: Components
    created_at: Instant | None = Field(default=None, description="Defaults to now")


class ComponentsPayload(Payload):
    """The new components of a contract."""

    components: Components = Field(
        description="The whole new list", examples=[["energy_supply", "heatpump_optimization"]]
    )


class EventPayload(Payload):
    """A publisher's statement that a component of a contract starts or ends on a date."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "supply_energy_start",
                    "contract_number": "1001",
                    "date": "2024-01-01",
                    "created_at": "2023-12-01T09:30:00Z",
                }
            ]
        }
    )

    type: EventType
    contract_number: ContractNumber
    date: CalendarDate
    created_at: Instant = Field(description="When the publisher made the event; it orders events")
    id: EventId | None = Field(default=None, description="The publisher's own id of the event")

    def to_domain(self, fresh_key: str) -> ComponentEvent:
        """Return the event; `fresh_key` identifies it if the publisher gave it no id.

        A key derived from its content would turn two equal events into one repeated event.
        """
        key = fresh_key if self.id is None else sha256(self.id.encode()).hexdigest()[:32]
        return ComponentEvent(self.type, self.contract_number, self.date, self.created_at, key, self.id)


class FieldError(BaseModel):
    """One thing that is wrong with a request, and where."""

    field: str
    message: str


# Pydantic's own messages for these mention Python.
_MESSAGES = {
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object, sent as application/json",
    "extra_forbidden": "is not a field of this",
    "string_unicode": _NOT_UTF8,
}
_MAX_FIELD_LENGTH = 100


def field_errors(errors: list[Any]) -> list[FieldError]:
    """Name the fields that pydantic's `errors` are about; at most twenty, and no values.

    Without values: what somebody sent by mistake belongs neither in a log nor in a response.
    """
    return [
        FieldError(
            field=".".join(map(str, error["loc"]))[:_MAX_FIELD_LENGTH],
            message=_message_of(error),
        )
        for error in errors[:_MAX_ERRORS]
    ]


def _message_of(error: Any) -> str:  # noqa: ANN401 - as pydantic describes it
    message: str = _MESSAGES.get(error["type"], error["msg"]).removeprefix("Value error, ")
    if error["type"] in {"too_short", "too_long"}:
        message = message.partition(" after validation")[0]
        if message.startswith("Value "):  # a secret, whose characters are items to pydantic
            message = message.replace("Value", "String").replace("item", "character")
    return message


def read_event(entry: object) -> EventPayload | list[FieldError]:
    """Return one event of a list, or what is wrong with it."""
    try:
        return EventPayload.model_validate(entry)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False, include_context=False)
        return field_errors([detail | {"loc": detail["loc"] or ("event",)} for detail in errors])


def utc_now() -> datetime:
    """Return this instant."""
    return datetime.now(UTC)
