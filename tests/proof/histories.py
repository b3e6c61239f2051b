"""Random histories of contracts: what was done, what was answered then, and what is stored in the end."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from domain.contracts.contract import ComponentInUseError, Contract
from domain.contracts.events import Action, Component, ComponentEvent, EventType
from domain.contracts.trails import AlreadyVoidedError, Reception, Source, Trail
from functions.api.contracts.schemas import TimelineView
from infra.contracts.change_components import change_components
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting
from infra.contracts.read_history import read_history
from infra.contracts.replay import replay
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore
from infra.contracts.void_event import Target, void_event
from tests.small_cases import day, instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TWO = (Component.ENERGY_SUPPLY, Component.BATTERY_OPTIMIZATION)
LISTS = [TWO, TWO[::-1], TWO[:1], TWO[1:], (*TWO, Component.HEATPUMP_OPTIMIZATION)]
STEPS = 50


class Note(NamedTuple):
    """A timeline that was answered at an instant, and the same question with `as_of`."""

    at: datetime
    timeline: str
    as_of: datetime
    as_of_timeline: str


class Sent(NamedTuple):
    """An event as the model remembers it."""

    event: ComponentEvent
    recorded_at: datetime


@dataclass
class Life:
    """One generation of a contract: what was answered, what the model knows, what is stored."""

    notes: list[Note] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    voided: dict[str, datetime] = field(default_factory=dict)
    lists: list[tuple[datetime, tuple[Component, ...]]] = field(default_factory=list)
    contract: Contract | None = None
    trail: Trail | None = None


def show(contract: Contract) -> str:
    """Return the bytes that the API would answer."""
    return TimelineView.of(contract).model_dump_json()


class History:
    """Does random things to one number, and notes every timeline."""

    def __init__(self, client: "DynamoDBClient", table: str, seed: int) -> None:
        self.rng = random.Random(seed)
        self.time = datetime(2024, 1, 1, tzinfo=instant(0).tzinfo)
        self.number = f"{seed}-{uuid4().hex[:8]}"
        self.contracts, self.trails = ContractStore(client, table), TrailStore(client, table)
        self.timelines = TimelineStore(client, table, audited=True, now=self.now)
        self.lives: list[Life] = []
        self.life: Life | None = None

    def now(self) -> datetime:
        self.time += timedelta(microseconds=1)
        return self.time

    def run(self) -> list[Life]:
        self.create()
        for _ in range(STEPS):
            if self.life is None:
                self.create()
            else:
                steps: list[Callable[[Life], None]] = [self.send, self.repeat, self.void, self.replay]
                steps += [self.patch, self.delete]
                self.rng.choices(steps, weights=[60, 8, 12, 10, 8, 2])[0](self.life)
            if self.life is not None:
                self.note(self.life)
        if self.life is not None:
            self.close(self.life)
        return self.lives

    def create(self) -> None:
        names = self.rng.choice(LISTS)
        contract = Contract.new(self.number, uuid4().hex, instant(0), names, stored_at=self.now())
        self.contracts.create(contract)
        self.life = Life(lists=[(self.time, names)])
        self.lives.append(self.life)

    def reception(self) -> Reception:
        return Reception(self.now(), Source.API, uuid4().hex)

    def by(self) -> Correcting:
        return Correcting(self.reception(), self.now, lambda: uuid4().hex)

    def send(self, life: Life) -> None:
        kind = EventType.of(self.rng.choice(TWO), self.rng.choice(list(Action)))
        at, on, key = instant(self.rng.randint(1, 12)), day(self.rng.randint(1, 4)), uuid4().hex
        event = ComponentEvent(kind, self.number, on, at, key, key)
        self.timelines.apply(event, self.reception())
        life.sent.append(Sent(event, self.time))

    def repeat(self, life: Life) -> None:
        if life.sent:
            before = self.present()
            event = self.rng.choice(life.sent).event
            assert self.timelines.apply(event, self.reception()).repeated
            assert self.present() == before

    def void(self, life: Life) -> None:
        if not life.sent:
            return
        key = self.rng.choice(life.sent).event.key
        target, dry_run = Target(key, "reason"), self.rng.random() < 0.2
        try:
            void_event(self.contracts, self.trails, self.number, target, self.by(), dry_run=dry_run)
        except AlreadyVoidedError:
            assert key in life.voided
        else:
            assert key not in life.voided
            if not dry_run:
                life.voided[key] = self.time

    def replay(self, life: Life) -> None:  # noqa: ARG002 - a step like the others
        dry_run = self.rng.random() < 0.2
        replay(self.contracts, self.trails, self.number, self.by(), dry_run=dry_run)

    def patch(self, life: Life) -> None:
        names = self.rng.choice(LISTS)
        try:
            change_components(self.contracts, self.number, names, self.by(), audited=True)
        except ComponentInUseError:
            return
        life.lists.append((self.time, names))

    def delete(self, life: Life) -> None:
        self.close(life)
        self.contracts.delete(self.number, uuid4().hex)
        self.life = None

    def present(self) -> Contract:
        contract = self.contracts.get(self.number)
        assert contract is not None
        return contract

    def note(self, life: Life) -> None:
        contract, as_of = self.present(), instant(self.rng.randint(0, 13))
        answer = read_history(self.contracts, self.trails, contract, created=as_of, known=None)
        life.notes.append(Note(self.now(), show(contract), as_of, show(answer)))

    def close(self, life: Life) -> None:
        """Keep what is stored, and ask for one earlier timeline as the route does."""
        life.contract = self.present()
        life.trail = self.trails.whole(life.contract)
        if life.notes:
            note = self.rng.choice(life.notes)
            known = read_history(self.contracts, self.trails, life.contract, created=None, known=note.at)
            assert show(known) == note.timeline


def naive_as_of(
    life: Life, as_of: datetime, known: datetime
) -> dict[Component, tuple[date | None, date | None]]:
    """Answer `as_of` at an instant from the model alone, by rules written down once more."""
    earlier = [names for at, names in life.lists if at <= known]
    found: dict[Component, tuple[date | None, date | None]] = {}
    for component in earlier[-1] if earlier else ():
        start: ComponentEvent | None = None
        end: ComponentEvent | None = None
        for event in sorted(_standing(life, component, as_of, known), key=lambda event: event.created_at):
            at, on = event.created_at, event.date
            if event.type.action is Action.START:
                late = end is not None and (at >= end.created_at or on > end.date)
                if not late and (start is None or at > start.created_at):
                    start = event
            elif start is not None and at > start.created_at and on >= start.date:
                end = event if end is None or at > end.created_at else end
        found[component] = (start.date if start else None, end.date if end else None)
    return found


def _standing(life: Life, component: Component, as_of: datetime, known: datetime) -> list[ComponentEvent]:
    return [
        sent.event
        for sent in life.sent
        if sent.recorded_at <= known
        and sent.event.created_at <= as_of
        and sent.event.type.component is component
        and life.voided.get(sent.event.key, known + timedelta(1)) > known
    ]
