"""Summaries: exact sums, and answers whose cost does not follow what is stored."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.meters.readings import Interval, Reading, blocks_of, stamp
from domain.meters.simulation import simulate
from domain.meters.summaries import HOUR_BYTES, MOST_BYTES, Resolution, Summary, summarise

HOUR = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def seconds_of(hours: int) -> Iterator[bytes]:
    """Make the blocks of a meter with a reading each second."""
    for hour in range(hours):
        name = stamp(HOUR + timedelta(hours=hour))[:14]
        yield "".join(
            f"{name}{at // 60:02}:{at % 60:02}Z,one-second-meter,0.000208333,0.75,230.1,3.26\r\n"
            for at in range(3600)
        ).encode()


def test_a_summary_sums_energy_and_takes_the_mean_of_the_rest_exactly() -> None:
    rows = [
        Reading(HOUR + timedelta(minutes=30 * index), "0.1", f"{index}", "230", "-1") for index in range(3)
    ]
    blocks = [b"".join(lines) for lines in blocks_of("m", rows).values()]
    hours, _ = summarise(blocks, Resolution.HOUR, 10)
    assert [(hour.at, hour.energy_kwh, hour.power_kw, hour.readings) for hour in hours] == [
        (HOUR, Decimal("0.2"), Decimal("0.5"), 2),
        (HOUR + timedelta(hours=1), Decimal("0.1"), Decimal(2), 1),
    ]
    (day,), _ = summarise(blocks, Resolution.DAY, 10)
    assert (day.at, day.energy_kwh, day.power_kw, day.current_a, day.readings) == (
        HOUR,
        Decimal("0.3"),
        Decimal(1),
        Decimal(-1),
        3,
    )


values = st.builds(
    lambda digits, power: f"{Decimal(digits).scaleb(power):f}",
    st.integers(-(10**27), 10**27),
    st.integers(-50, -19),
)


@given(st.lists(values, min_size=1, max_size=60))
def test_sums_are_exact_and_means_are_rounded_half_even(numbers: list[str]) -> None:
    rows = [Reading(HOUR + timedelta(minutes=at), text, text, "1", "1") for at, text in enumerate(numbers)]
    blocks = [b"".join(lines) for lines in blocks_of("m", rows).values()]
    (day,), _ = summarise(blocks, Resolution.DAY, 1)
    total = sum(map(Fraction, numbers))
    assert Fraction(day.energy_kwh) == total
    assert Fraction(day.power_kw) == Fraction(round(total / len(numbers) * 10**6), 10**6)


def test_an_answer_about_seconds_ends_with_the_day_in_which_it_has_read_enough() -> None:
    touched: list[int] = []

    def read() -> Iterator[bytes]:
        for block in seconds_of(24 * 10):
            touched.append(len(block) + HOUR_BYTES)
            yield block

    page = summarise(read(), Resolution.DAY, 1440)
    # The hour behind the last day is read to know that there is one.
    assert MOST_BYTES <= sum(touched[:-1]) < MOST_BYTES + 24 * max(touched)
    assert page.summaries[-1].at + DAY == page.next_start
    assert all(day.readings == 86_400 for day in page.summaries)


def test_an_answer_about_few_readings_in_many_hours_ends_too() -> None:
    blocks = (f"{stamp(HOUR + timedelta(hours=hour))},m,1,1,1,1\r\n".encode() for hour in range(24 * 365 * 5))
    page = summarise(blocks, Resolution.DAY, 1440)
    assert page.next_start is not None
    assert 200 < len(page.summaries) < 300


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 80), st.sampled_from([Resolution.HOUR, Resolution.DAY]))
def test_pages_together_are_the_whole(limit: int, hours: int, resolution: Resolution) -> None:
    end = HOUR + timedelta(hours=hours)
    start: datetime | None = HOUR
    found: list[Summary] = []
    while start is not None:
        page, start = summarise(simulate("123", Interval(start, end)), resolution, limit)
        found += page
    whole = summarise(simulate("123", Interval(HOUR, end)), resolution, 1000)
    assert whole.next_start is None
    assert found == whole.summaries
