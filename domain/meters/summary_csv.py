"""The CSV format of summaries: the columns of readings, then how many there are; the timestamp is the local begin."""

from decimal import Decimal

from domain.meters.csv_format import COLUMNS
from domain.meters.summaries import Summary

SUMMARY_HEADER = (",".join((*COLUMNS, "readings")) + "\r\n").encode()


def format_summary(meter_id: str, summary: Summary) -> bytes:
    """Write a summary as a line, its begin with the zone's offset: `2024-03-31T00:00:00+01:00`."""
    values = map(_text, summary[1:5])
    begin = summary.period.local_start.isoformat()
    return f"{begin},{meter_id},{','.join(values)},{summary.readings}\r\n".encode()


def _text(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"
