"""Logins at the same time, on an engine that knows concurrency, and how long a failure takes."""

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from functions.api.app import create_app
from infra.users.login_throttle import PER_ACCOUNT
from tests.conftest import create_table, forget
from tests.functions.api.people import make_user

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.xdist_group("engine")

LOGINS = 200
THREADS = 20


@pytest.fixture
def engine_api(
    engine: str, engine_client: "DynamoDBClient", environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    """Return a caller of the application above fresh tables of DynamoDB Local."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", engine)
    monkeypatch.setenv("AUTH_MODE", "required")
    for variable, logical_id in (("USERS_TABLE", "UsersTable"), ("THROTTLES_TABLE", "ThrottlesTable")):
        monkeypatch.setenv(variable, name := f"{logical_id}-{uuid4().hex}")
        create_table(engine_client, logical_id, name)
    forget()
    with TestClient(create_app(), raise_server_exceptions=False) as api:
        yield api


def test_of_200_logins_at_once_exactly_the_limit_is_evaluated(engine_api: TestClient) -> None:
    make_user("ada")
    barrier = Barrier(THREADS, timeout=30)

    def guess_in_turn(thread: int) -> list[int]:
        barrier.wait()
        return [
            engine_api.post(
                "/token", data={"username": "ada", "password": f"wrong password {thread} {number}"}
            ).status_code
            for number in range(LOGINS // THREADS)
        ]

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = Counter(status for part in pool.map(guess_in_turn, range(THREADS)) for status in part)

    assert statuses == {401: PER_ACCOUNT.tries, 429: LOGINS - PER_ACCOUNT.tries}


def test_an_unknown_name_and_a_wrong_password_take_the_same_time(engine_api: TestClient) -> None:
    names = [f"user{number}" for number in range(2)]
    for name in names:
        make_user(name)
    seconds: dict[bool, list[float]] = {True: [], False: []}

    def fail(name: str, *, known: bool) -> None:
        started = time.perf_counter()
        answer = engine_api.post("/token", data={"username": name, "password": "wrong password"})
        seconds[known].append(time.perf_counter() - started)
        assert answer.status_code == 401

    fail("warm-up", known=False)
    seconds[False].clear()
    for number in range(2 * (PER_ACCOUNT.tries - 2)):
        fail(names[number % 2], known=True)
        fail(f"nobody{number}", known=False)

    known, unknown = statistics.median(seconds[True]), statistics.median(seconds[False])
    assert max(known, unknown) / min(known, unknown) < 1.5
    # Both have hashed: a failure is not cheap.
    assert min(known, unknown) > 0.005
