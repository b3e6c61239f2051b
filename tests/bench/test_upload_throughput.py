"""Readings a second of an upload, the whole request, beside the floor: parsing the same body and nothing else."""

import csv
import io
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.meters.csv_format import HEADER
from tests.bench.ratios import best_of_tries, ratio_of_cpu
from tests.bench.test_upload_cost import METER_ID, minutes

TURNS = 3
LIMIT = 40
fresh = count()
HOURS = 24 * 14
LINES = minutes(HOURS).decode()

pytestmark = pytest.mark.xdist_group("bench")


def as_json() -> bytes:
    names = ("energy_kwh", "power_kw", "voltage_v", "current_a")
    entries = []
    for line in LINES.splitlines():
        timestamp, _, *values = line.split(",")
        fields = ",".join(f'"{name}":{value}' for name, value in zip(names, values, strict=True))
        entries.append(f'{{"timestamp":"{timestamp}",{fields}}}')
    return f'{{"readings":[{",".join(entries)}]}}'.encode()


def parse_json(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal)


def parse_csv(body: bytes) -> Any:
    return list(csv.reader(io.StringIO(body.decode())))


FORMS: dict[str, tuple[str, Callable[[], bytes], Callable[[bytes], Any]]] = {
    "JSON": ("application/json", as_json, parse_json),
    "CSV": ("text/csv", (HEADER.decode() + LINES).encode, parse_csv),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_upload_s_readings_a_second_beside_parsing_alone(
    api: TestClient,
    engine: str,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    record_property: Callable[[str, object], None],
) -> None:
    from infra.conditional_writes import Writer  # noqa: PLC0415
    from infra.stores import stores  # noqa: PLC0415 - after the fixtures have set the environment
    from tests.conftest import create_table  # noqa: PLC0415
    from tests.engines import client_of  # noqa: PLC0415

    client = client_of(engine)
    table = f"readings-{form.lower()}"
    create_table(client, "ReadingsTable", table)
    for store in (stores().meters, stores().readings):
        monkeypatch.setattr(store, "client", client)
        monkeypatch.setattr(store, "writer", Writer(client))
        monkeypatch.setattr(store, "table", table)
    kind, make, parse = FORMS[form]
    body, count_of_lines = make(), LINES.count("\n")

    def send() -> None:
        meter_id = f"{form}-{next(fresh)}"
        content = body.replace(METER_ID.encode(), meter_id.encode())
        answer = api.put(f"/api/meters/{meter_id}/readings", content=content, headers={"Content-Type": kind})
        assert answer.json()["stored"] == count_of_lines

    ratio = best_of_tries(LIMIT, lambda: ratio_of_cpu(send, lambda: parse(body), TURNS))
    record_property("ratio", round(ratio, 1))
    sys.stderr.write(
        f"\nupload of {count_of_lines:,} readings as {form}, whole request / parsing alone: {ratio:.1f}\n"
    )
    assert ratio <= LIMIT
