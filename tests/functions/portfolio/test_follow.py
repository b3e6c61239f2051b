"""The function that follows the stream: one bad record does not stop the others, and is delivered again."""

import json
from pathlib import Path
from typing import Any

import pytest

from functions.portfolio import handler as portfolio
from infra.portfolio.portfolio_store import PortfolioStore
from infra.stores import stores
from tests.functions.ingestion.conftest import Context

BATCH = json.loads((Path(__file__).parents[2] / "events" / "stream_batch.json").read_text())


def record(number: str, sequence: int, version: int = 4) -> dict[str, Any]:
    text = json.dumps(BATCH["Records"][0]).replace("1001", number)
    made: dict[str, Any] = json.loads(text)
    made["dynamodb"]["SequenceNumber"] = str(sequence)
    made["dynamodb"]["NewImage"]["version"] = {"N": str(version)}
    return made


def run(*records: dict[str, Any], seconds_left: float = 60) -> list[str]:
    answer = portfolio.handler({"Records": list(records)}, Context(seconds_left=lambda: seconds_left))  # type: ignore[arg-type]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def known(*numbers: str) -> list[int | None]:
    entries = [stores().portfolio.get(number) for number in numbers]
    return [entry.version if entry else None for entry in entries]


def test_a_record_that_cannot_be_read_is_delivered_again_and_the_others_are_applied(
    cloud: None, caplog: pytest.LogCaptureFixture
) -> None:
    bad = record("2", 20)
    bad["dynamodb"]["NewImage"]["components"] = {"S": "?"}
    assert run(record("1", 10), bad, record("2", 21, version=5), record("3", 30)) == ["20"]
    assert known("1", "2", "3") == [4, None, 4]
    (line,) = (line for line in caplog.records if line.message == "Portfolio not updated")
    assert line.__dict__["contract_number"] == "2"
    assert run(record("2", 20), record("2", 21, version=5), record("3", 30)) == []
    assert known("1", "2", "3") == [4, 5, 4]


def test_records_without_time_left_are_delivered_again(cloud: None) -> None:
    assert run(record("1", 10), record("2", 20), seconds_left=11) == ["10"]
    assert known("1", "2") == [None, None]


def test_an_item_that_was_removed_from_the_table_is_forgotten(cloud: None) -> None:
    assert run(record("1", 10)) == []
    removed = record("1", 20)
    removed["dynamodb"]["OldImage"] = removed["dynamodb"].pop("NewImage")
    assert run(removed) == []
    assert known("1") == [None]
    rows = stores().portfolio.client.scan(TableName="portfolio")["Items"]
    assert {row["pk"]["S"].partition("#")[0] for row in rows} == {"COUNT"}
    assert all(counter["N"] == "0" for row in rows for name, counter in row.items() if name == "s01")


def test_the_table_of_contracts_is_not_read(cloud: None) -> None:
    store = stores().portfolio
    assert isinstance(store, PortfolioStore)
    tables: set[str] = set()

    def note(params: dict[str, Any], **_: Any) -> None:
        body = json.loads(params["body"])
        tables.update({body["TableName"]} if "TableName" in body else set())

    store.client.meta.events.register_first("before-call.dynamodb", note)
    assert run(record("1", 10)) == []
    assert tables == {"portfolio"}
