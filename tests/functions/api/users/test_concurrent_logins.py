"""Concurrent logins, on DynamoDB Local."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from fastapi.testclient import TestClient

from infra.users.login_throttle import PER_ACCOUNT_AND_SOURCE
from tests.functions.api.people import make_user

LOGINS = 200
THREADS = 20


def test_of_200_concurrent_logins_exactly_the_limit_is_evaluated(engine_api: TestClient) -> None:
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

    assert statuses == {401: PER_ACCOUNT_AND_SOURCE.attempts, 429: LOGINS - PER_ACCOUNT_AND_SOURCE.attempts}
