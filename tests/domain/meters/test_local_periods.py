"""Local periods against engines that are not ours: ICU's zones, as DuckDB reckons with them, and the zones' files."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from struct import unpack

import duckdb
import pytest
import tzdata

from domain.meters.local_periods import Period, Resolution, days_between, period_at
from domain.meters.summaries import HourSums, stream_summaries
from domain.meters.sums import Sums
from domain.meters.time_zones import (
    QUARTER,
    UnknownZoneError,
    UnsupportedZoneError,
    offset_at,
    require_quarters,
    zone,
    zone_names,
)
from tests.proof_level import IS_FULL

YEARS = range(2000, 2038) if IS_FULL else range(2008, 2014)
FIRST, END = date(YEARS.start, 1, 1), date(YEARS.stop, 1, 1)
HOURS_FROM, MONTHS_FROM = ("2007-01-01", "2006-12-15") if IS_FULL else ("2011-03-01", "2010-03-15")
AROUND = datetime(YEARS.start - 1, 12, 30, tzinfo=UTC), datetime(YEARS.stop, 1, 3, tzinfo=UTC)
BERLIN = zone("Europe/Berlin")


def quarters(period: Period) -> int:
    return (period.end - period.begin) // QUARTER


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def icu() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.sql("SET TimeZone = 'UTC'")
        connection.sql("SET threads = 1")
        yield connection


@pytest.mark.parametrize(
    ("name", "odd_lengths"),
    [
        ("Europe/Berlin", {92, 100}),
        ("America/New_York", {92, 100}),
        ("Australia/Lord_Howe", {94, 98}),
        ("Asia/Kathmandu", set()),
        ("Pacific/Apia", None),
    ],
)
def test_every_local_day_has_the_quarter_hours_that_icu_gives_it(
    name: str, odd_lengths: set[int] | None, icu: duckdb.DuckDBPyConnection
) -> None:
    ours = [
        (day.local_start.date(), day.begin, quarters(day)) for day in days_between(zone(name), FIRST, END)
    ]
    theirs = icu.execute(
        """
        SELECT CAST(timezone($1, instant) AS DATE) AS day, epoch(min(instant)), count(*)
        FROM generate_series($2::TIMESTAMPTZ, $3::TIMESTAMPTZ, INTERVAL 15 MINUTES) AS made(instant)
        GROUP BY day HAVING day >= $4::DATE AND day < $5::DATE ORDER BY day
        """,
        [name, *AROUND, FIRST, END],
    ).fetchall()
    assert ours == [(day, datetime.fromtimestamp(begin, UTC), count) for day, begin, count in theirs]
    counted: dict[int, int] = {}
    for _, _, count in ours:
        counted[count] = counted.get(count, 0) + 1
    days = (END - FIRST).days
    if odd_lengths is None:
        assert len(ours) == days - 1
        assert date(2011, 12, 30) not in {day for day, *_ in ours}
    else:
        odd_days = dict.fromkeys(odd_lengths, len(YEARS))
        assert counted == odd_days | {96: days - sum(odd_days.values())}


def milli_kwh(instant: int) -> int:
    """Return the energy of the quarter hour that begins at `instant`, seconds since 1970."""
    return instant // 900 * 7919 % 1009


def hours_of_quarters(first: datetime, end: datetime) -> Iterator[HourSums]:
    hour = first
    while hour < end:
        begin = int(hour.timestamp())
        sums = {
            quarter: Sums(
                1, (1, 0, 0, 0), (Decimal(milli_kwh(begin + 900 * quarter)).scaleb(-3), *[Decimal(0)] * 3), {}
            )
            for quarter in range(4)
        }
        yield HourSums(hour, sums, 0)
        hour += timedelta(hours=1)


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ZONES if IS_FULL else ZONES[:1])
def test_every_local_day_has_the_sum_and_the_count_that_icu_gives_it(
    name: str, icu: duckdb.DuckDBPyConnection
) -> None:
    hours = hours_of_quarters(*AROUND)
    ours = [
        (summary.period.local_start.date(), summary.readings, summary.energy_kwh)
        for _, summaries in stream_summaries(hours, zone(name), Resolution.DAY)
        for summary in summaries
        if FIRST <= summary.period.local_start.date() < END
    ]
    theirs = icu.execute(
        """
        SELECT CAST(timezone($1, instant) AS DATE) AS day, count(*), sum((epoch(instant)::BIGINT // 900) * 7919 % 1009)
        FROM range($2::TIMESTAMPTZ, $3::TIMESTAMPTZ, INTERVAL 15 MINUTES) AS made(instant)
        GROUP BY day HAVING day >= $4::DATE AND day < $5::DATE ORDER BY day
        """,
        [name, *AROUND, FIRST, END],
    ).fetchall()
    assert ours == [(day, count, Decimal(int(total)).scaleb(-3)) for day, count, total in theirs]
    assert (END - FIRST).days - len(ours) in {0, 1}


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "America/Caracas",
    ],
)
def test_hours_and_months_are_icu_s_too(name: str, icu: duckdb.DuckDBPyConnection) -> None:
    # An hour is one of the local clock under one offset; ICU names both.
    theirs = icu.execute(
        """
        WITH made AS (
            SELECT instant, timezone($1, instant) AS here
            FROM generate_series($2::TIMESTAMPTZ, TIMESTAMPTZ '2012-01-01', INTERVAL 15 MINUTES) AS made(instant)
        )
        SELECT epoch(min(instant)), count(*) FROM made
        GROUP BY date_trunc('hour', here), epoch(here) - epoch(instant) ORDER BY 1
        """,
        [name, HOURS_FROM],
    ).fetchall()
    begin = datetime.fromtimestamp(theirs[1][0], UTC)  # the first and the last are cut by the range
    ours = []
    for _ in theirs[1:-1]:
        hour = period_at(zone(name), Resolution.HOUR, begin)
        ours.append((hour.begin.timestamp(), quarters(hour)))
        begin = hour.end
    assert ours == theirs[1:-1]

    theirs = icu.execute(
        """
        SELECT epoch(min(instant)), count(*)
        FROM generate_series($2::TIMESTAMPTZ, TIMESTAMPTZ '2012-02-15', INTERVAL 15 MINUTES) AS made(instant)
        GROUP BY date_trunc('month', timezone($1, instant)) ORDER BY 1
        """,
        [name, MONTHS_FROM],
    ).fetchall()[1:-1]
    months = []
    begin = datetime.fromtimestamp(theirs[0][0], UTC)
    for _ in theirs:
        month = period_at(zone(name), Resolution.MONTH, begin)
        months.append((month.begin.timestamp(), quarters(month)))
        begin = month.end
    assert months == theirs


@pytest.mark.parametrize(
    ("resolution", "instant", "local_start", "length"),
    [
        (Resolution.DAY, "2024-03-31T12:34:56", "2024-03-31T00:00:00+01:00", 92),
        (Resolution.DAY, "2024-10-27T12:34:56", "2024-10-27T00:00:00+02:00", 100),
        (Resolution.MONTH, "2024-03-31T22:00:00", "2024-04-01T00:00:00+02:00", 30 * 96),
        (Resolution.HOUR, "2024-10-27T00:30:00", "2024-10-27T02:00:00+02:00", 4),
        (Resolution.HOUR, "2024-10-27T01:30:00", "2024-10-27T02:00:00+01:00", 4),
        (Resolution.QUARTER_HOUR, "2024-03-31T01:00:00", "2024-03-31T03:00:00+02:00", 1),
    ],
)
def test_a_period_has_the_local_time_of_its_begin_with_the_offset(
    resolution: Resolution, instant: str, local_start: str, length: int
) -> None:
    period = period_at(BERLIN, resolution, at(instant))
    assert (period.local_start.isoformat(), quarters(period)) == (local_start, length)
    assert period.begin == period.local_start.astimezone(UTC)
    assert period.begin.utcoffset() == timedelta(0)


def test_the_half_hour_that_lord_howe_island_repeats_or_skips_is_an_hour_of_its_own() -> None:
    island = zone("Australia/Lord_Howe")
    hours = []
    instant = at("2024-04-06T14:00:00")
    for _ in range(3):
        hour = period_at(island, Resolution.HOUR, instant)
        hours.append((hour.local_start.isoformat()[11:], quarters(hour)))
        instant = hour.end
    assert hours == [("01:00:00+11:00", 4), ("01:30:00+10:30", 2), ("02:00:00+10:30", 4)]
    skipped = period_at(island, Resolution.HOUR, at("2024-10-05T15:30:00"))
    assert (skipped.local_start.isoformat()[11:], quarters(skipped)) == ("02:30:00+11:00", 2)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Berlin",
        "../zones",
        "/etc/passwd",
        "right/Europe/Berlin",
        "localtime",
        "\ud800",
        "x" * 5000,
        "Europe",
    ],
)
def test_what_is_no_name_of_a_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownZoneError):
        zone(name)


def test_a_clock_that_is_off_the_quarter_hours_is_refused_about_then_and_only_then() -> None:
    # Until 2011 the clocks of St. John's were changed at one minute past midnight.
    island = zone("America/St_Johns")
    for resolution in (Resolution.QUARTER_HOUR, Resolution.HOUR, Resolution.DAY, Resolution.MONTH):
        with pytest.raises(UnsupportedZoneError, match=r"America/St_Johns .* 2010-11-07"):
            period_at(island, resolution, at("2010-11-07T02:30:00"))
        period_at(island, resolution, at("2010-12-20T12:00:00"))
    monrovia = zone("Africa/Monrovia")
    with pytest.raises(UnsupportedZoneError, match="15 minutes"):
        require_quarters(monrovia, at("1971-06-01T00:00:00"), at("1971-06-02T00:00:00"))
    require_quarters(monrovia, at("1973-06-01T00:00:00"), at("1973-06-02T00:00:00"))


@pytest.mark.slow
def test_every_zone_s_days_are_whole_and_adjacent_or_refused() -> None:
    """Walk around every change that the zones' files name."""
    whole = refused = 0
    for name in sorted(zone_names()):
        area = zone(name)
        for change in changes_of(name):
            day = (change - timedelta(days=2)).astimezone(area).date()
            try:
                days = list(days_between(area, day, day + timedelta(days=5)))
            except UnsupportedZoneError:
                refused += 1
                continue
            whole += 1
            for one, other in pairwise(days):
                assert one.end == other.begin
            for period in days:
                local = {
                    (period.begin + quarter * QUARTER).astimezone(area).date()
                    for quarter in range(quarters(period))
                }
                assert local == {period.local_start.date()}, (name, period)
            assert change.minute % 15 == 0
    assert whole > 130 * len(YEARS)
    assert 0 < refused < 500


def changes_of(name: str) -> Iterator[datetime]:
    """Read the instants of offset changes from a zone's file itself (RFC 9636), the rule for later years left out."""
    content = (Path(tzdata.__file__).parent / "zoneinfo" / name).read_bytes()
    body = content[content.index(b"TZif", 4) :]
    count = unpack(">6l", body[20:44])[3]
    area = zone(name)
    for second in unpack(f">{count}q", body[44 : 44 + 8 * count]):
        if FIRST.toordinal() <= second // 86_400 + 719_163 < END.toordinal():
            change = datetime.fromtimestamp(second, UTC)
            if offset_at(area, change) != offset_at(area, change - timedelta(seconds=1)):
                yield change
