"""Random histories of corrections, applied by the service to DynamoDB Local and by the naive model."""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.actors import Actor, ActorKind
from domain.instants import format_instant, from_micros, to_micros
from domain.meters.csv_format import HEADER, values_of
from domain.meters.readings import Interval, Meter, MeterKind, Quality, Reading, hour_of
from domain.meters.sums import add
from infra.contracts.event_payloads import utc_now
from infra.meters.hour_writes import Counts
from infra.meters.reading_items import to_block
from infra.meters.reading_messages import Upload, store_all
from infra.meters.reading_store import ReadingStore
from infra.stores import stores
from infra.time_left import always
from tests.proof.naive_readings import NaiveReadings, sums_by_hour

THREADS = 16
START = datetime(2024, 1, 1, tzinfo=UTC)
ALL = Interval(START, START + timedelta(hours=2))
TIMESTAMPS = ("2024-01-01T00:00:00Z", "2024-01-01T00:14:59Z", "2024-01-01T00:59:59Z", "2024-01-01T01:30:00Z")
# Before, at and after the instants at which the deletions are made.
MADE = [to_micros(datetime(2024, 6, 1, tzinfo=UTC)) + step for step in (-2_000_000, -1, 0, 0, 1, 2_000_000)]
VALUES = ("1", "1.0", "2", "")
ANONYMOUS = Actor(ActorKind.ANONYMOUS)

Applied = dict[str, tuple[int, int]]
"""For each hour that a call wrote, the number of the write and when it was recorded."""


class Recorder:
    """Notes what each call of the store wrote."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.applied: dict[tuple[str, tuple[Reading, ...]], Applied] = {}
        store, write_all = ReadingStore.store, ReadingStore._write_all

        def note_writes(call: Any, writes: Sequence[Any]) -> bool:
            is_applied = write_all(call, writes)
            if is_applied:
                for write in writes:
                    call.noted |= _note(write["Item"])
            return is_applied

        def store_noted(self_: Any, meter_id: str, readings: Sequence[Reading], actor: Any = None) -> Counts:
            call = copy(self_)
            call.noted = {}
            self.applied[meter_id, tuple(readings)] = call.noted
            return store(call, meter_id, readings, actor)

        monkeypatch.setattr(ReadingStore, "_write_all", note_writes)
        monkeypatch.setattr(ReadingStore, "store", store_noted)
        monkeypatch.setattr(ReadingStore, "noted", {}, raising=False)


def _note(item: Any) -> Applied:
    if not item["sk"]["S"].startswith("HOUR#"):
        return {}
    return {item["sk"]["S"][5:]: (int(item["version"]["N"]), to_block(item).changed_at)}


class History:
    """One meter's history, by the service and by the model; `differences` says where they are not the same."""

    def __init__(self, seed: int, api: TestClient, recorder: Recorder) -> None:
        self.rng = random.Random(seed)
        self.meter = Meter(f"meter-{seed}", MeterKind.METERED, START)
        self.api = api
        self.recorder = recorder
        self.model = NaiveReadings()
        self.differences: list[str] = []
        self.store: ReadingStore = copy(stores().readings)
        self.store.now = lambda: from_micros(self.rng.choice(MADE))

    def run(self, steps: int) -> "History":
        """Apply uploads and deletions one after another, then compare everything."""
        for _ in range(steps):
            if self.rng.random() < 0.2:
                self.delete()
            else:
                self.upload()
        self.compare()
        return self

    def random_upload(self, mark: str = "") -> list[Reading]:
        """Return some readings of which no two conflict."""
        readings: dict[tuple[str, int], Reading] = {}
        for _ in range(self.rng.randint(1, 5)):
            at, made = self.rng.choice(TIMESTAMPS[: 3 if mark else 4]), self.rng.choice(MADE)
            value = self.rng.choice(VALUES)
            quality = self.rng.choice([Quality.MEASURED, Quality.ESTIMATED])
            readings.setdefault((at, made), Reading(at, value, "3", mark or value, "", quality, made))
        sent = list(readings.values())
        return sent + sent[: self.rng.randint(0, 1)]

    def upload(self) -> None:
        """Apply one upload."""
        sent = self.random_upload()
        counts, actor = self.rng.choice(WAYS)(self, sent)
        written = self.recorder.applied.pop((self.meter.id, tuple(sent)))
        self.count(counts, self.model.upload(sent, {hour: at for hour, (_, at) in written.items()}, actor))

    def count(self, found: Counts | None, expected: Counter[str]) -> None:
        """Compare the counts of an upload; the bus has none."""
        if found is not None and Counter(found._asdict()) != expected + Counter(received=expected.total()):
            self.differences.append(f"counts {found} and not {expected}")

    def delete(self) -> None:
        """Delete some readings, on a clock that goes backwards."""
        first, end = sorted(self.rng.sample([*TIMESTAMPS, "2024-01-01T02:00:00Z"], 2))
        now = self.rng.choice(MADE)
        call: Any = copy(self.store)
        call.noted, call.now = {}, lambda: from_micros(now)
        actor = Actor(ActorKind.USER, "1", "ada")
        deleted = call.delete(
            self.meter.id, Interval(datetime.fromisoformat(first), datetime.fromisoformat(end)), actor
        )
        recorded = {hour: at for hour, (_, at) in call.noted.items()}
        expected = self.model.delete(first, end, now, recorded, actor) if recorded else 0
        if deleted != expected:
            self.differences.append(f"{deleted} deleted and not {expected}")

    def race(self) -> "History":
        """Let sixteen uploads meet on one hour, and look for the order in which they took effect."""
        self.run(2)
        uploads = [self.random_upload(mark=str(index + 10)) for index in range(THREADS)]
        ways = [self.rng.choice(WAYS) for _ in uploads]
        line = Barrier(THREADS)

        def begin(index: int) -> tuple[Counts | None, Actor]:
            line.wait()
            return ways[index](self, uploads[index])

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(begin, range(THREADS)))
        written = [self.recorder.applied.pop((self.meter.id, tuple(sent))) for sent in uploads]
        order = sorted(
            (index for index in range(THREADS) if written[index]),
            key=lambda index: next(iter(written[index].values()))[0],
        )
        states = [self.model.copy()]
        for index in order:
            recorded = {hour: at for hour, (_, at) in written[index].items()}
            self.count(answers[index][0], self.model.upload(uploads[index], recorded, answers[index][1]))
            states.append(self.model.copy())
        for index in set(range(THREADS)) - set(order):
            if not any(_changes_nothing(state, uploads[index]) for state in states):
                self.differences.append(f"upload {index} was lost")
        self.compare()
        return self

    def compare(self) -> None:
        """Compare the values and sums now and at two instants, and the histories of two timestamps."""
        instants = [at - step for at in sorted(self.model.instants()) for step in (1, 0)]
        for instant in (None, *self.rng.sample(instants, min(2, len(instants)))):
            self.compare_known(instant)
        for timestamp in self.rng.sample(TIMESTAMPS, 2):
            self.compare_history(timestamp, page=self.rng.choice([1, 3, 50, 50]))

    def compare_known(self, instant: int | None) -> None:
        """Compare what is known at `instant`."""
        at = None if instant is None else from_micros(instant)
        found: dict[str, Any] = {}
        for block in self.store.blocks(self.meter, ALL, at):
            lines = block.lines.splitlines()
            origins = block.origins if len(block.origins) == len(lines) else list(block.origins) * len(lines)
            for line, origin in zip(lines, origins, strict=True):
                values = NaiveReadings.values_of(values_of(line))
                found[line[:20].decode()] = (values, origin.quality, origin.created_at)
        known = self.model.known_at(instant)
        if found != known:
            self.differences.append(f"at {instant}: {found} and not {known}")
        sums = {
            hour_of(hour): (part.readings, part.counts, part.totals, tuple(sorted(part.qualities.items())))
            for hour, quarters, _ in self.store.sums(self.meter, ALL, at)
            for part in [add(quarters.values())]
        }
        if sums != sums_by_hour(known):
            self.differences.append(f"sums at {instant}: {sums} and not {sums_by_hour(known)}")

    def compare_history(self, timestamp: str, page: int) -> None:
        """Compare the versions of one reading, read in pages of that length."""
        found: list[Any] = []
        position: str | None = None
        while True:
            shown_page = self.store.versions(self.meter.id, datetime.fromisoformat(timestamp), page, position)
            for values, origin, replaced_at, outdated in shown_page.versions:
                shown = None if values is None else NaiveReadings.values_of(values)
                quality = None if values is None else origin.quality
                made = (origin.created_at, origin.confirmed_at, origin.recorded_at)
                found.append((shown, quality, *made, replaced_at, outdated, origin.actor))
            position = shown_page.next_position
            if position is None:
                break
        expected = self.model.history(timestamp)
        if sorted(map(repr, found)) != sorted(map(repr, expected)):
            self.differences.append(f"history of {timestamp}: {found} and not {expected}")


def _changes_nothing(state: NaiveReadings, sent: Sequence[Reading]) -> bool:
    after = state.copy()
    after.upload(sent, {}, None)
    return after.versions == state.versions


def by_json(history: History, sent: Sequence[Reading]) -> tuple[Counts | None, Actor]:
    """Send readings as JSON."""
    content = json.dumps({"readings": _entries(sent)})
    return _put(history, content, "application/json")


def by_csv(history: History, sent: Sequence[Reading]) -> tuple[Counts | None, Actor]:
    """Send readings as CSV with all columns."""
    rows = [
        ",".join((reading[0], history.meter.id, *reading.values, reading.quality, _instant(reading)))
        for reading in sent
    ]
    return _put(history, "\n".join([HEADER.decode().strip() + ",quality,created_at", *rows]), "text/csv")


def by_bus(history: History, sent: Sequence[Reading]) -> tuple[Counts | None, Actor]:
    """Send readings over the bus."""
    detail = {"smart_meter_id": history.meter.id, "readings": _entries(sent)}
    body = {"detail-type": "meter_readings", "account": "1", "source": "meters", "detail": detail}
    outcomes = store_all([Upload(json.dumps(body), 1)], utc_now, always)
    if outcomes != [None]:
        history.differences.append(f"bus: {outcomes}")
    return None, Actor(ActorKind.PUBLISHER, "1", "meters")


def by_store(history: History, sent: Sequence[Reading]) -> tuple[Counts | None, Actor]:
    """Store readings on a clock that goes backwards and stands still."""
    return history.store.store(history.meter.id, sent, ANONYMOUS), ANONYMOUS


Way = Callable[[History, Sequence[Reading]], tuple[Counts | None, Actor]]
WAYS: list[Way] = [by_json, by_csv, by_bus, by_store]


def _entries(sent: Sequence[Reading]) -> list[dict[str, Any]]:
    names = ("timestamp", "energy_kwh", "power_kw", "voltage_v", "current_a")
    return [
        dict(zip(names, reading[:5], strict=True))
        | {"quality": reading.quality, "created_at": _instant(reading)}
        for reading in sent
    ]


def _instant(reading: Reading) -> str:
    return format_instant(from_micros(reading.created_at))


def _put(history: History, content: str, kind: str) -> tuple[Counts | None, Actor]:
    path = f"/api/meters/{history.meter.id}/readings"
    answer = history.api.put(path, content=content, headers={"Content-Type": kind})
    if answer.status_code != 200:
        history.differences.append(f"{answer.status_code}: {answer.text}")
        return None, ANONYMOUS
    return Counts(**answer.json()), ANONYMOUS
