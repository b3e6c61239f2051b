"""How long a login takes that fails, whether or not there is such a user."""

import statistics
import time

from fastapi.testclient import TestClient

from infra.users.login_throttle import PER_ACCOUNT_AND_SOURCE
from tests.functions.api.people import make_user


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
    for number in range(2 * (PER_ACCOUNT_AND_SOURCE.attempts - 2)):
        fail(names[number % 2], known=True)
        fail(f"nobody{number}", known=False)

    known, unknown = statistics.median(seconds[True]), statistics.median(seconds[False])
    assert max(known, unknown) / min(known, unknown) < 1.5
    # Both have hashed: a failure is not cheap.
    assert min(known, unknown) > 0.005
