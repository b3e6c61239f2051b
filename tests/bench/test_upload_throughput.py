"""Readings a second of an upload, the whole request, beside the floor: parsing the same body and nothing else."""

import csv
import io
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.meters.csv_format import HEADER
from tests.bench.test_upload_cost import METER_ID, minutes

RUNS = 3
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


def seconds_of(act: Callable[[], object]) -> float:
    started = time.process_time()
    act()
    return time.process_time() - started


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
    body, count = make(), LINES.count("\n")
    floor = median(seconds_of(lambda: parse(body)) for _ in range(RUNS))

    def send(meter_id: str) -> None:
        content = body.replace(METER_ID.encode(), meter_id.encode())
        answer = api.put(f"/api/meters/{meter_id}/readings", content=content, headers={"Content-Type": kind})
        assert answer.json()["stored"] == count

    send(f"{form}-warm")
    whole = median(seconds_of(lambda: send(f"{form}-{turn}")) for turn in range(RUNS))  # noqa: B023
    record_property("ratio", round(whole / floor, 1))
    sys.stderr.write(
        f"\nupload of {count:,} readings as {form}, whole request: {count / whole:,.0f} readings a CPU second;"
        f" parsing alone {count / floor:,.0f}; ratio {whole / floor:.1f}\n"
    )
    assert whole / floor < 40
