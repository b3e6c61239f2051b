"""Restoring parts of a table on moto, and whole tables, whose segments need it, on DynamoDB Local."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from infra import aws
from infra.commands.command_error import CommandError
from infra.operate import segments
from infra.operate.restore import restore, restore_parts
from infra.operate.table_copies import TableCopy
from tests.conftest import create_table
from tests.functions.api.calls import create, send

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def items(table: str, client: "DynamoDBClient | None" = None) -> list[Any]:
    pages = (client or aws.dynamodb()).get_paginator("scan").paginate(TableName=table)
    return sorted((item for page in pages for item in page["Items"]), key=str)


@contextmanager
def calls_of(client: "DynamoDBClient") -> Iterator[Counter[str]]:
    """Count the calls of each operation."""
    calls: Counter[str] = Counter()

    def note(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    client.meta.events.register("before-call.dynamodb.*", note)
    yield calls
    client.meta.events.unregister("before-call.dynamodb.*", note)


@pytest.fixture
def backup(api: TestClient) -> str:
    """A table as DynamoDB restores it: the contracts as they were before the mistakes."""
    create_table(aws.dynamodb(), "ContractsTable", "backup")
    send(api, contract_number="1002")  # before the contract exists
    for number in ("1001", "1002", "10010"):
        create(api, number)
        send(api, contract_number=number)
    for item in items("contracts"):
        aws.dynamodb().put_item(TableName="backup", Item=item)
    # The mistakes: an event too many, a contract too many, and one that was deleted and created anew.
    send(api, contract_number="1001", created_at="2024-06-01T00:00:00Z")
    send(api, contract_number="10010", created_at="2024-06-01T00:00:00Z")
    create(api, "1003")
    api.delete("/contract/1002")
    create(api, "1002")
    send(api, contract_number="1002", created_at="2024-06-01T00:00:00Z")
    return "backup"


def copy_parts(source: str, *contracts: str, meters: tuple[str, ...] = (), target: str = "contracts") -> Any:
    copy = TableCopy.of(aws.dynamodb(), target, source)
    return list(restore_parts(copy, list(contracts), list(meters)))


def of(number: str, table: str) -> list[Any]:
    return [item for item in items(table) if item["pk"]["S"].split("#")[1] == number]


def test_one_contract_is_restored_with_its_trails_by_queries(api: TestClient, backup: str) -> None:
    others = [of(number, "contracts") for number in ("1001", "10010", "1003")]
    with calls_of(aws.dynamodb()) as calls:
        # The contract, its event, and the one from before; the second generation goes.
        assert copy_parts(backup, "1002") == [
            "contract 1002: 3 items copied, 1 deleted that are not in backup"
        ]
    assert calls["Scan"] == 0
    assert calls["Query"] < 15
    assert of("1002", "contracts") == of("1002", backup)
    assert [of(number, "contracts") for number in ("1001", "10010", "1003")] == others
    assert api.get("/contract/1002/contract_timeline").json()["components"]["energy_supply"]["start"]
    assert len(api.get("/contract/1002/events").json()["items"]) == 1


def test_a_number_that_begins_another_is_not_the_other(api: TestClient, backup: str) -> None:
    copy_parts(backup, "1001")
    assert of("1001", "contracts") == of("1001", backup)
    assert of("10010", "contracts") != of("10010", backup)


def test_a_contract_that_the_backup_does_not_have_goes(api: TestClient, backup: str) -> None:
    assert copy_parts(backup, "1003") == ["contract 1003: 0 items copied, 1 deleted that are not in backup"]
    assert of("1003", "contracts") == []


def test_an_unknown_name_is_an_error_and_nothing_is_changed(api: TestClient, backup: str) -> None:
    before = items("contracts")
    with pytest.raises(CommandError, match=r"neither contracts nor backup has contract 1004, meter m1$"):
        copy_parts(backup, "1001", "1004", meters=("m1",))
    assert items("contracts") == before


def test_one_meter_is_restored_with_its_readings(api: TestClient) -> None:
    create_table(aws.dynamodb(), "ReadingsTable", "backup")
    reading = {"energy_kwh": 1, "power_kw": 1, "voltage_v": 230, "current_a": 4}

    def upload(meter: str, hours: int) -> None:
        readings = [{"timestamp": f"2024-01-01T{hour:02}:00:00Z", **reading} for hour in range(hours)]
        assert api.put(f"/api/meters/{meter}/readings", json={"readings": readings}).status_code == 200

    for meter in ("m1", "m2"):
        upload(meter, 3)
    for item in items("readings"):
        aws.dynamodb().put_item(TableName="backup", Item=item)
    for meter in ("m1", "m2"):
        upload(meter, 5)
    assert copy_parts("backup", meters=("m1",), target="readings") == [
        "meter m1: 4 items copied, 2 deleted that are not in backup"
    ]
    assert of("m1", "readings") == of("m1", "backup")
    assert of("m2", "readings") != of("m2", "backup")


def test_a_table_of_another_kind_is_refused(cloud: None) -> None:
    with pytest.raises(CommandError, match="not the same kind"):
        copy_parts("throttles", "1001")


# --- whole tables -----------------------------------------------------------------------------------

COUNT = 75


@pytest.fixture
def tables(engine_client: "DynamoDBClient") -> tuple[str, str]:
    """A table, and a backup that lacks a third of its items, has others, and of some another value."""
    target, source = f"contracts-{uuid4().hex}", f"backup-{uuid4().hex}"
    for name, kept in ((target, (0, 1)), (source, (1, 2))):
        create_table(engine_client, "ContractsTable", name)
        puts: list[Any] = [
            {"PutRequest": {"Item": item_of(index, name)}} for index in range(COUNT) if index % 3 in kept
        ]
        for start in range(0, len(puts), 25):
            engine_client.batch_write_item(RequestItems={name: puts[start : start + 25]})
    return target, source


def item_of(index: int, table: str) -> dict[str, Any]:
    binary = {"data": {"B": bytes(200)}, "text": {"S": table}, "exact": {"N": "0.1234567890123456789"}}
    return {"pk": {"S": f"CONTRACT#{index}"}, "sk": {"S": "CONTRACT"}, **binary}


def whole(client: "DynamoDBClient", tables: tuple[str, str], folder: Path) -> list[str]:
    return list(restore(TableCopy.of(client, *tables), folder))


def last_counts(lines: list[str]) -> list[str]:
    return [line.rpartition(", ")[0] for line in lines if not line.endswith("…")]


def test_a_table_gets_the_items_of_the_backup_and_says_how_fast(
    engine_client: "DynamoDBClient", tables: tuple[str, str], tmp_path: Path
) -> None:
    lines = whole(engine_client, tables, tmp_path)
    assert items(tables[0], engine_client) == items(tables[1], engine_client)
    assert last_counts(lines) == [f"25 items deleted that are not in {tables[1]}", "50 items copied"]
    assert all(line.endswith(" a second") for line in lines)
    assert list(tmp_path.iterdir()) == []
    again = whole(engine_client, tables, tmp_path)
    assert last_counts(again) == [f"0 items deleted that are not in {tables[1]}", "50 items copied"]


@pytest.fixture
def small_pages(engine_client: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a page of a scan have at most four items, and a table four segments, each of which has several pages."""
    monkeypatch.setattr(segments, "SEGMENTS", 4)

    def limit(params: dict[str, Any], **_: Any) -> None:
        params["Limit"] = 4

    engine_client.meta.events.register("provide-client-params.dynamodb.Scan", limit)
    yield
    engine_client.meta.events.unregister("provide-client-params.dynamodb.Scan", limit)


@contextmanager
def failing_after(client: "DynamoDBClient", operation: str, calls: int) -> Iterator[None]:
    left = calls

    def fail(**_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    client.meta.events.register_first(f"before-call.dynamodb.{operation}", fail)
    try:
        yield
    finally:
        client.meta.events.unregister(f"before-call.dynamodb.{operation}", fail)


@pytest.mark.parametrize(
    ("operation", "calls"), [("Scan", 3), ("Scan", 10), ("Scan", 28), ("BatchWriteItem", 20)]
)
def test_an_interrupted_restore_goes_on_where_it_was(
    engine_client: "DynamoDBClient",
    tables: tuple[str, str],
    tmp_path: Path,
    small_pages: None,
    operation: str,
    calls: int,
) -> None:
    with failing_after(engine_client, operation, calls), pytest.raises(KeyboardInterrupt):
        whole(engine_client, tables, tmp_path)
    (state,) = tmp_path.iterdir()
    done = sum(
        place["count"]
        for phase in json.loads(state.read_text())["phases"].values()
        for place in phase.values()
    )
    with calls_of(engine_client) as made:
        lines = whole(engine_client, tables, tmp_path)
    assert items(tables[0], engine_client) == items(tables[1], engine_client)
    assert last_counts(lines)[-1] == "50 items copied"
    assert list(tmp_path.iterdir()) == []
    if done:
        assert lines[0] == "going on where the interrupted restore was"
        with calls_of(engine_client) as from_the_begin:
            whole(engine_client, tables, tmp_path)
        assert made["Scan"] < from_the_begin["Scan"]


def test_the_place_of_another_restore_is_not_used(
    engine_client: "DynamoDBClient", tables: tuple[str, str], tmp_path: Path, small_pages: None
) -> None:
    with failing_after(engine_client, "Scan", 20), pytest.raises(KeyboardInterrupt):
        whole(engine_client, tables, tmp_path)
    (state,) = tmp_path.iterdir()
    written = json.loads(state.read_text())
    state.write_text(json.dumps(written | {"identity": ["other", "tables"]}))
    assert last_counts(whole(engine_client, tables, tmp_path))[-1] == "50 items copied"


def test_a_folder_that_cannot_be_written_is_an_error_before_anything_is_changed(
    engine_client: "DynamoDBClient", tables: tuple[str, str], tmp_path: Path
) -> None:
    before = items(tables[0], engine_client)
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be used to note how far the restore is"):
        whole(engine_client, tables, tmp_path / "file")
    assert items(tables[0], engine_client) == before


def test_what_a_throttled_table_leaves_undone_is_sent_again(
    engine_client: "DynamoDBClient",
    tables: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write: Callable[..., Any] = engine_client.batch_write_item
    pauses: list[float] = []

    def write_half(RequestItems: dict[str, list[Any]]) -> Any:  # noqa: N803 - boto3's own
        ((table, requests),) = RequestItems.items()
        half = (len(requests) + 1) // 2
        write(RequestItems={table: requests[:half]})
        return {"UnprocessedItems": {table: requests[half:]} if requests[half:] else {}}

    monkeypatch.setattr(engine_client, "batch_write_item", write_half)
    monkeypatch.setattr(segments, "SEGMENTS", 2)  # so that a page has enough items to be halved several times
    copy = TableCopy.of(engine_client, *tables)
    object.__setattr__(copy, "sleep", pauses.append)
    list(restore(copy, tmp_path))
    assert items(tables[0], engine_client) == items(tables[1], engine_client)
    assert len(pauses) > 10
    assert max(pauses) > 2 * min(pauses)
