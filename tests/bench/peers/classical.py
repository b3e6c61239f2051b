"""A classical event service: FastAPI, SQLAlchemy and SQLite. It stores events and nothing else.

For each new event it reads all events of the contract, folds them in the order of `created_at`, and decides. It is
written as FastAPI's and SQLAlchemy's own tutorials have it, with an index and one transaction for each event, and as durable
as SQLite is by default. With TUNED, and on its route in the event loop, it is as quick as it gets: no threads, and a
write-ahead log that is not flushed for each event, so that a crash of the machine may lose the last ones.
"""

import os
from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from mangum import Mangum
from pydantic import BaseModel, Field
from sqlalchemy import Date, DateTime, Index, Integer, String, create_engine, select
from sqlalchemy.event import listens_for
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(f"sqlite:///{os.environ['DATABASE']}", connect_args={"check_same_thread": False})
app = FastAPI(title="Contracts")

if os.environ.get("TUNED"):

    @listens_for(engine, "connect")  # type: ignore[untyped-decorator]
    def prepare(connection: Any, _: Any) -> None:
        """Make writes quick, at the price of the last ones in a crash of the machine."""
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")


class Base(DeclarativeBase):  # type: ignore[misc]
    """The tables."""


class StoredEvent(Base):
    """An accepted event."""

    __tablename__ = "events"
    __table_args__ = (Index("by_contract", "contract_number", "created_at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    contract_number: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(64))
    date: Mapped[date] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(DateTime)


class EventType(str, Enum):  # noqa: UP042 - as tutorials have it
    """What happens to which component."""

    SUPPLY_ENERGY_START = "supply_energy_start"
    SUPPLY_ENERGY_END = "supply_energy_end"


class Event(BaseModel):
    """An event as it is sent."""

    type: EventType
    contract_number: str = Field(min_length=1, max_length=64)
    date: date
    created_at: datetime


class Timeline(BaseModel):
    """What the events of a contract come to."""

    start: date | None = None
    end: date | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def apply(self, kind: str, day: date, created_at: datetime) -> str:
        """Apply one event; return the code of the verdict."""
        if kind == EventType.SUPPLY_ENERGY_START.value:
            if self.started_at and created_at <= self.started_at:
                return "stale_start"
            self.start, self.started_at = day, created_at
            return "accepted"
        if self.start is None or self.started_at is None:
            return "end_without_start"
        if created_at <= max(self.started_at, self.ended_at or self.started_at):
            return "stale_end"
        self.end, self.ended_at = day, created_at
        return "accepted"


class Verdict(BaseModel):
    """The answer to an event."""

    status: str
    timeline: Timeline


def session() -> Iterator[Session]:
    """Yield the session of a request."""
    with Session(engine) as opened:
        yield opened


def folded(database: Session, contract_number: str) -> Timeline:
    """Read all events of a contract and fold them."""
    timeline = Timeline()
    query = (
        select(StoredEvent)
        .where(StoredEvent.contract_number == contract_number)
        .order_by(StoredEvent.created_at)
    )
    for stored in database.scalars(query):
        timeline.apply(stored.type, stored.date, stored.created_at)
    return timeline


@app.post("/event")
def post_event(event: Event, database: Annotated[Session, Depends(session)]) -> Verdict:
    """Apply one event and say whether it counts."""
    timeline = folded(database, event.contract_number)
    created_at = event.created_at.replace(tzinfo=None)
    code = timeline.apply(event.type.value, event.date, created_at)
    if code == "accepted":
        database.add(
            StoredEvent(
                contract_number=event.contract_number,
                type=event.type.value,
                date=event.date,
                created_at=created_at,
            )
        )
        database.commit()
    return Verdict(status=code, timeline=timeline)


@app.post("/async/event")
async def post_event_async(event: Event) -> Verdict:
    """Apply one event in the event loop."""
    with Session(engine) as database:
        return post_event(event, database)


@app.get("/contract/{contract_number}/timeline")
def get_timeline(contract_number: str, database: Annotated[Session, Depends(session)]) -> Timeline:
    """Show the dates of a contract."""
    return folded(database, contract_number)


Base.metadata.create_all(engine)
handler = Mangum(app, lifespan="off")
