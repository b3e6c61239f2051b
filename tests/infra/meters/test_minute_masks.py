"""The mask of the minutes of an hour as it is stored: exact, and without a byte where it follows from the counts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.meters.completeness import minutes_of
from domain.meters.csv_format import format_line
from domain.meters.sums import sum_quarters
from domain.meters.versions import HourBlock, Origin
from infra.meters.reading_items import hour_item, to_facts
from tests.readings import reading

HOUR = datetime(2024, 1, 1, tzinfo=UTC)
ORIGIN = Origin(1_700_000_000_000_000, 1_700_000_000_000_000, 1_700_000_000_000_001)


def block_of(seconds: list[int]) -> HourBlock:
    lines = b"".join(
        format_line("m", reading(HOUR + timedelta(seconds=second), "1")) for second in sorted(seconds)
    )
    return HourBlock(lines, (ORIGIN,), sums=sum_quarters(lines), changed_at=ORIGIN.recorded_at)


@given(
    st.sets(
        st.integers(0, 59).map(lambda minute: 60 * minute) | st.integers(0, 3599), min_size=1, max_size=80
    )
)
def test_the_mask_is_that_of_the_lines(seconds: set[int]) -> None:
    block = block_of(list(seconds))
    facts = to_facts(hour_item(block, 1))
    assert facts is not None
    assert facts.minutes == minutes_of(block.lines)
    assert facts.minutes == sum(1 << second // 60 for second in seconds if second % 60 == 0)


@pytest.mark.parametrize("interval", [1, 5, 10, 60, 300, 900])
def test_a_meter_without_gaps_stores_no_mask_and_another_one_does(interval: int) -> None:
    even = list(range(0, 3600, interval))
    shifted = [second + 1 for second in even if second < 3599]
    stored = [len(hour_item(block_of(seconds), 1)["facts"]["B"]) for seconds in (even, shifted)]
    assert stored[0] < stored[1]
    facts = to_facts(hour_item(block_of(even), 1))
    assert facts is not None
    assert facts.minutes == minutes_of(block_of(even).lines)
