"""The rule by which readings replace each other, over every small case, and what a write makes of an hour."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.actors import Actor, ActorKind
from domain.meters import hour_changes
from domain.meters.corrections import Effect, Stored, decide
from domain.meters.csv_format import format_line
from domain.meters.history import known_at, version_in_force, versions_in
from domain.meters.readings import Quality, Reading
from domain.meters.sums import sum_lines
from domain.meters.versions import FORMER, HourBlock, Origin, PastVersion, PastVersions
from tests.readings import reading

HOUR = datetime(2024, 1, 1, tzinfo=UTC)
ADA = Actor(ActorKind.USER, "1", "ada")


def at(minute: int, value: str = "1", created_at: int = 10, quality: Quality = Quality.MEASURED) -> Reading:
    return reading(HOUR + timedelta(minutes=minute), value, quality=quality, created_at=created_at)


def line(minute: int, value: str = "1") -> bytes:
    return format_line("m", at(minute, value))


STORED = Stored(line(0), Origin(5, 10, 100))
DELETED = Stored(line(0)[:20], Origin(10, 10, 100))
FROM_BEFORE = Stored(line(0), FORMER)


@pytest.mark.parametrize(
    ("stored", "sent", "effect"),
    [
        (None, at(0), Effect.STORED),
        (STORED, at(0, "2", 11), Effect.UPDATED),
        (STORED, at(0, "1.0", 11), Effect.UNCHANGED),
        (STORED, at(0, "1", 11, Quality.ESTIMATED), Effect.UPDATED),
        (STORED, at(0, "2", 10), Effect.UPDATED),
        (STORED, at(0, "1", 10), Effect.UNCHANGED),
        # Older than the latest confirmation, although made after the values were first stated.
        (STORED, at(0, "2", 9), Effect.OUTDATED),
        (STORED, at(0, "1", 9), Effect.OUTDATED),
        (DELETED, at(0, "2", 11), Effect.STORED),
        (DELETED, at(0, "2", 10), Effect.STORED),
        (DELETED, at(0, "2", 9), Effect.OUTDATED),
        (FROM_BEFORE, at(0, "2", 0), Effect.UPDATED),
        (FROM_BEFORE, at(0, "1", 0), Effect.UNCHANGED),
    ],
)
def test_the_newer_created_at_replaces_and_of_equal_ones_the_later_arrival(
    stored: Stored | None, sent: Reading, effect: Effect
) -> None:
    assert decide(stored, sent) is effect


def test_an_upload_keeps_what_it_replaced() -> None:
    first = hour_changes.store("m", HourBlock(), [at(0), at(1)], ADA, 100)
    assert (first.effects, first.past) == (Counter({Effect.STORED: 2}), [])
    second = hour_changes.store("m", first.block, [at(0, "2", 11), at(2)], None, 200)
    assert second.block.lines == line(0, "2") + line(1) + line(2)
    assert second.past == [PastVersion(line(0), Origin(10, 10, 100, actor=ADA))]
    assert second.effects == Counter({Effect.UPDATED: 1, Effect.STORED: 1})
    assert second.block.changed_at == 200


def test_a_confirmation_moves_the_rank_and_nothing_else() -> None:
    block = hour_changes.store("m", HourBlock(), [at(0)], ADA, 100).block
    confirmed = hour_changes.store("m", block, [at(0, "1.0", 50)], None, 200)
    assert confirmed.past == []
    assert (confirmed.block.lines, confirmed.block.changed_at) == (block.lines, 100)
    assert confirmed.block.origins == (Origin(10, 50, 100, actor=ADA),)
    late = hour_changes.store("m", confirmed.block, [at(0, "2", 30)], None, 300)
    assert late.effects == Counter({Effect.OUTDATED: 1})
    assert late.block.lines == block.lines


def test_the_same_again_is_no_change() -> None:
    block = hour_changes.store("m", HourBlock(), [at(0), at(1)], ADA, 100).block
    again = hour_changes.store("m", block, [at(0), at(1)], None, 200)
    assert (again.is_change, again.block, again.past) == (False, block, [])
    twice = hour_changes.store("m", HourBlock(), [at(0), at(0, "1.0")], ADA, 100)
    assert twice.effects == Counter({Effect.STORED: 1, Effect.UNCHANGED: 1})


def test_an_outdated_reading_that_comes_twice_is_one_version() -> None:
    block = hour_changes.store("m", HourBlock(), [at(0, created_at=20)], ADA, 100).block
    late = hour_changes.store("m", block, [at(0, "2", 10), at(0, "2.0", 10)], ADA, 200)
    assert [version.outdated for version in late.past] == [True]
    again = hour_changes.store("m", late.block, [at(0, "2", 10)], ADA, 300, late.past)
    assert (again.past, again.is_change, again.effects) == ([], False, Counter({Effect.OUTDATED: 1}))
    other = hour_changes.store("m", late.block, [at(0, "3", 10)], ADA, 300, late.past)
    assert [version.line for version in other.past] == [line(0, "3")]


def test_a_reading_made_before_a_deletion_is_outdated_and_kept_whatever_else_is_alike() -> None:
    block = hour_changes.store("m", HourBlock(), [at(0), at(1)], ADA, 100).block
    deleted, count = hour_changes.delete(block, line(0)[:20], line(1)[:20], ADA, now=50, recorded_at=200)
    assert (count, deleted.block.lines) == (1, line(1))
    assert deleted.block.deleted == {line(0)[:20]: Origin(50, 50, 200, actor=ADA)}
    late = hour_changes.store("m", deleted.block, [at(0, "2", 49)], ADA, 300)
    assert (late.effects, len(late.past)) == (Counter({Effect.OUTDATED: 1}), 1)
    back = hour_changes.store("m", deleted.block, [at(0, "2", 51)], ADA, 300)
    assert back.block.lines == line(0, "2") + line(1)
    assert [len(version.line) for version in back.past] == [20]


def test_what_says_it_was_made_tomorrow_is_deleted_all_the_same() -> None:
    block = hour_changes.store("m", HourBlock(), [at(0, created_at=1000)], ADA, 100).block
    deleted, count = hour_changes.delete(block, line(0)[:20], line(1)[:20], ADA, now=50, recorded_at=200)
    assert count == 1
    again = hour_changes.store("m", deleted.block, [at(0, created_at=1000)], ADA, 300, deleted.past)
    assert (again.effects, again.block.lines) == (Counter({Effect.OUTDATED: 1}), b"")


def test_readings_of_one_request_are_applied_in_the_order_they_were_made() -> None:
    change = hour_changes.store("m", HourBlock(), [at(0, "2", 20), at(0, "1", 10)], ADA, 100)
    assert change.effects == Counter({Effect.STORED: 1, Effect.UPDATED: 1})
    assert (change.block.lines, [version.line for version in change.past]) == (line(0, "2"), [line(0)])


writes = st.lists(
    st.tuples(st.integers(0, 59), st.sampled_from(["1", "2", "2.0", ""]), st.integers(0, 4)), max_size=12
)


@given(st.lists(writes, max_size=4))
def test_stored_sums_are_those_of_the_lines(uploads: list[list[tuple[int, str, int]]]) -> None:
    block = HourBlock()
    for recorded_at, upload in enumerate(uploads, start=1):
        sent = [
            at(minute, value or "3", created_at, list(Quality)[created_at])
            for minute, value, created_at in upload
        ]
        if sent:
            block = hour_changes.store("m", block, sent, None, recorded_at).block
    qualities = [origin.quality for origin in block.origins_by_line()]
    lines = block.lines.splitlines(keepends=True)
    for quarter in range(4):
        inside = [index for index, one in enumerate(lines) if int(one[14:16]) // 15 == quarter]
        expected = sum_lines(
            b"".join(lines[index] for index in inside), [qualities[index] for index in inside]
        )
        found = (block.sums or {}).get(quarter)
        assert (found is None and not inside) or found == expected


def test_what_was_known_is_the_newest_version_recorded_up_to_then() -> None:
    block, past = HourBlock(), []
    for recorded_at, value in ((100, "1"), (200, "2"), (300, "3")):
        change = hour_changes.store("m", block, [at(0, value, recorded_at)], ADA, recorded_at)
        block = change.block
        past.append(PastVersions(recorded_at, change.past))
    deleted, _ = hour_changes.delete(block, b"2024", b"2025", ADA, now=400, recorded_at=400)
    past.append(PastVersions(400, deleted.past))
    known = {
        instant: known_at(deleted.block, past, instant).lines for instant in (99, 100, 199, 200, 399, 400)
    }
    assert known == {
        99: b"",
        100: line(0, "1"),
        199: line(0, "1"),
        200: line(0, "2"),
        399: line(0, "3"),
        400: b"",
    }


def test_an_outdated_version_was_never_known() -> None:
    block = hour_changes.store("m", HourBlock(), [at(0, "2", 20)], ADA, 100).block
    late = hour_changes.store("m", block, [at(0, "1", 10)], ADA, 200)
    past = [PastVersions(200, late.past)]
    assert all(known_at(late.block, past, instant).lines == line(0, "2") for instant in (100, 200, 300))
    versions = [version for part in past for version in versions_in(part, line(0)[:20])]
    assert [(version.outdated, version.replaced_at) for version in versions] == [(True, None)]


def test_a_history_ends_with_the_version_in_force() -> None:
    block = hour_changes.store("m", HourBlock(), [at(0), at(1)], ADA, 100).block
    for minute, values in product((0, 1), [("1", "", "", "")]):
        version = version_in_force(block, line(minute)[:20])
        assert version is not None
        assert (version.values, version.origin.actor, version.replaced_at) == (values, ADA, None)
    assert version_in_force(block, line(2)[:20]) is None
