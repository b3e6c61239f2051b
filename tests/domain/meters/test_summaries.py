"""Summaries: exact sums, and answers whose cost does not follow what is stored."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.meters.csv_format import format_line
from domain.meters.readings import Interval, Quality, hour_of
from domain.meters.summaries import MAX_COST, HourSums, Resolution, Summary, summarise
from domain.meters.sums import Sums, add, sum_lines
from tests.readings import reading, simulated_sums

HOUR = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def hours_of(lines: Mapping[datetime, tuple[str, ...]]) -> Iterator[HourSums]:
    """Give the sums of readings at the instants given."""
    by_hour: dict[str, list[bytes]] = {}
    for at, values in lines.items():
        by_hour.setdefault(hour_of(at), []).append(format_line("m", reading(at, *values)))
    for hour, parts in by_hour.items():
        yield HourSums(hour, sum_lines(b"".join(parts)), 1)


def test_a_summary_sums_energy_and_takes_the_mean_of_the_rest_exactly() -> None:
    rows = {HOUR + timedelta(minutes=30 * index): ("0.1", f"{index}", "230", "-1") for index in range(3)}
    hours, _ = summarise(hours_of(rows), Resolution.HOUR, 10)
    assert [(hour.at, hour.energy_kwh, hour.power_kw, hour.readings) for hour in hours] == [
        (HOUR, Decimal("0.2"), Decimal("0.5"), 2),
        (HOUR + timedelta(hours=1), Decimal("0.1"), Decimal(2), 1),
    ]
    (day,), _ = summarise(hours_of(rows), Resolution.DAY, 10)
    assert (day.at, day.energy_kwh, day.power_kw, day.current_a, day.readings) == (
        HOUR,
        Decimal("0.3"),
        Decimal(1),
        Decimal(-1),
        3,
    )


def test_a_value_that_is_missing_stays_out_of_sums_and_means() -> None:
    rows = {
        HOUR: ("0.1", "4", "", ""),
        HOUR + timedelta(minutes=1): ("", "2", "", ""),
        HOUR + timedelta(minutes=2): ("0.2", "", "", ""),
    }
    (hour,), _ = summarise(hours_of(rows), Resolution.HOUR, 1)
    assert (hour.energy_kwh, hour.power_kw, hour.voltage_v, hour.current_a, hour.readings) == (
        Decimal("0.3"),
        Decimal(3),
        None,
        None,
        3,
    )


def test_qualities_are_counted() -> None:
    parts = [sum_lines(b"x,m,1,,,\r\n" * len(some), some) for some in (list(Quality), [Quality.FAULTY])]
    assert add(parts).qualities == dict.fromkeys(Quality, 1) | {Quality.FAULTY: 2}


values = st.builds(
    lambda digits, power: f"{Decimal(digits).scaleb(power):f}",
    st.integers(-(10**27), 10**27),
    st.integers(-50, -19),
)


@given(st.lists(values, min_size=1, max_size=60))
def test_sums_are_exact_and_means_are_rounded_half_even(numbers: list[str]) -> None:
    rows = {HOUR + timedelta(minutes=at): (text, text, "1", "1") for at, text in enumerate(numbers)}
    (day,), _ = summarise(hours_of(rows), Resolution.DAY, 1)
    total = sum(map(Fraction, numbers))
    assert day.energy_kwh is not None
    assert day.power_kw is not None
    assert Fraction(day.energy_kwh) == total
    assert Fraction(day.power_kw) == Fraction(round(total / len(numbers) * 10**6), 10**6)


def test_an_answer_ends_with_the_day_in_which_it_has_cost_enough() -> None:
    one = Sums(1, (1,) * 4, (Decimal(1),) * 4, {Quality.MEASURED: 1})
    taken: list[int] = []

    def read() -> Iterator[HourSums]:
        for hour in range(24 * 100):
            taken.append(200_000)
            yield HourSums(hour_of(HOUR + timedelta(hours=hour)), one, 200_000)

    page = summarise(read(), Resolution.DAY, 1440)
    # The hour behind the last day is read to know that there is one.
    assert MAX_COST <= sum(taken[:-1]) < MAX_COST + 24 * 200_000
    assert page.summaries[-1].at + DAY == page.next_start
    assert all(day.readings == 24 for day in page.summaries)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 80), st.sampled_from([Resolution.HOUR, Resolution.DAY]))
def test_pages_together_are_the_whole(limit: int, hours: int, resolution: Resolution) -> None:
    end = HOUR + timedelta(hours=hours)
    start: datetime | None = HOUR
    found: list[Summary] = []
    while start is not None:
        page, start = summarise(simulated_sums(Interval(start, end)), resolution, limit)
        found += page
    whole = summarise(simulated_sums(Interval(HOUR, end)), resolution, 1000)
    assert whole.next_start is None
    assert found == whole.summaries
