"""How long a login takes that fails, whether or not there is such a user."""

import time
from itertools import count

from fastapi.testclient import TestClient

from infra.users.login_throttle import PER_ACCOUNT_AND_SOURCE
from tests.bench.ratios import best_of_tries, seconds_of
from tests.functions.api.people import make_user

LIMIT = 1.5
TURNS = PER_ACCOUNT_AND_SOURCE.attempts - 2


def test_an_unknown_name_and_a_wrong_password_take_the_same_time(engine_api: TestClient) -> None:
    numbers = count()

    def fail(name: str) -> None:
        answer = engine_api.post("/token", data={"username": name, "password": "wrong password"})
        assert answer.status_code == 401

    def difference() -> float:
        name = f"user{next(numbers)}"
        make_user(name)
        known, unknown = seconds_of(
            lambda: fail(name),
            lambda: fail(f"nobody{next(numbers)}"),
            turns=TURNS,
            clock=time.perf_counter,
        )
        # Both have hashed: a failure is not cheap.
        assert min(known, unknown) > 0.005
        return max(known, unknown) / min(known, unknown)

    assert best_of_tries(LIMIT, difference) <= LIMIT
