"""Random histories of contracts, whose streams arrive shuffled, doubled and cut: the portfolio ends as the contracts."""

from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

from domain.portfolio.entries import Entry
from functions.portfolio import handler as portfolio
from infra.portfolio.event_log import EventLog
from infra.portfolio.portfolio_store import PortfolioStore
from infra.portfolio.rebuild import Rebuild
from tests.conftest import create_table, forget
from tests.contract_histories import History
from tests.functions.ingestion.conftest import Context
from tests.portfolios import expected_table, table_of
from tests.proof_level import cases

if TYPE_CHECKING:
    import pytest
    from mypy_boto3_dynamodb import DynamoDBClient

HISTORIES = cases(3, 12, 200)
STEPS = 60


def test_whatever_the_stream_does_the_portfolio_ends_as_the_contracts(
    engine: str, engine_client: "DynamoDBClient", engine_table: str, monkeypatch: "pytest.MonkeyPatch"
) -> None:
    """A stream that was cut, whose missing records nobody sends again, is repaired by a rebuild."""
    table = f"portfolio-{uuid4().hex}"
    create_table(engine_client, "PortfolioTable", table)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", engine)
    monkeypatch.setenv("CONTRACTS_TABLE", engine_table)
    monkeypatch.setenv("PORTFOLIO_TABLE", table)
    forget()
    repaired = differing = records = 0
    truth: dict[str, Entry] = {}
    for seed in range(HISTORIES):
        random = Random(seed)
        numbers = tuple(f"{seed}-{index}" for index in range(3))
        history = History(engine_client, engine_table, random, numbers)
        for _ in range(STEPS):
            history.step()
        records += len(history.records)
        arriving = history.records + random.sample(history.records, len(history.records) // 3)
        random.shuffle(arriving)
        is_cut = seed % 3 == 2
        if is_cut:
            arriving = random.sample(arriving, len(arriving) // 3)
        while arriving:
            size = random.randrange(1, 20)
            batch, arriving = arriving[:size], arriving[size:]
            assert portfolio.handler({"Records": batch}, Context()) == {"batchItemFailures": []}  # type: ignore[arg-type]
        truth |= history.truth()
        if is_cut:
            work = Rebuild(
                engine_client,
                engine_table,
                PortfolioStore(engine_client, table),
                EventLog(engine_client, table, 0),
                repair=True,
                sleep=lambda _: None,
            )
            list(work.run())
            repaired += len(work.differences)
        differing += table_of(engine_client, table) != expected_table(truth)
    print(f"\n{HISTORIES} histories, {records} records: {differing} differ; {repaired} differences repaired")
    assert differing == 0
    assert repaired > 0
