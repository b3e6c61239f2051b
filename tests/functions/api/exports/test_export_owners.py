"""An export belongs to who asked for it; to others it is as if it were not there."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from domain.exports import MAX_OPEN_EXPORTS, Refusal, TooManyExportsError, cancel, new_job
from domain.meters.readings import Interval
from domain.users import Role
from infra.exports.create_export import create_in_slot
from infra.exports.job_store import ExportStore
from tests.conftest import create_table
from tests.functions.api.people import Headers, enter, make_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PERIOD = {"start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-01-02T00:00:00Z"}
WISH = {"smart_meter_id": "123", "format": "csv"} | PERIOD
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def ask(api: TestClient, shown: Headers) -> str:
    answer = api.post("/api/export/csv", json=WISH, headers=shown)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job_id"])


def told(api: TestClient, method: str, path: str, job: str, shown: Headers) -> tuple[int, str]:
    answer = api.request(method, path.format(job), headers=shown)
    return answer.status_code, answer.text.replace(answer.headers["X-Request-ID"], "").replace(job, "JOB")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/export/status/{}"), ("GET", "/api/export/download/{}"), ("DELETE", "/api/export/{}")],
)
def test_a_foreign_export_answers_exactly_as_a_missing_one(
    closed: None, api: TestClient, method: str, path: str
) -> None:
    ada, eve = enter(api, Role.OPERATOR, "ada"), enter(api, Role.OPERATOR, "eve")
    admin = enter(api, Role.ADMIN, "root")
    job = ask(api, ada)

    assert told(api, method, path, job, eve) == told(api, method, path, str(uuid4()), eve)

    # Nothing has happened to it, and an admin sees what its owner sees.
    status = told(api, "GET", "/api/export/status/{}", job, ada)
    assert '"pending"' in status[1]
    assert told(api, "GET", "/api/export/status/{}", job, admin) == status
    assert told(api, method, path, job, admin) != told(api, method, path, str(uuid4()), admin)


def test_a_history_holds_ones_own_exports_and_no_sign_of_others(closed: None, api: TestClient) -> None:
    ada, eve = enter(api, Role.OPERATOR, "ada"), enter(api, Role.OPERATOR, "eve")
    admin = enter(api, Role.ADMIN, "root")
    own = [ask(api, shown) for _ in range(3) for shown in (ada, eve)][::2]

    assert history(api, ada) == own[::-1]
    assert len(history(api, admin)) == 6
    # At the end of one's own there is no cursor, though others' would follow.
    page = api.get("/api/export/history/123?limit=3", headers=ada).json()
    assert page["next_cursor"] is None


def history(api: TestClient, shown: Headers) -> list[str]:
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = api.get("/api/export/history/123", params=query, headers=shown).json()
        found += [job["job_id"] for job in page["items"]]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def test_a_key_sees_what_its_owner_asked_for(closed: None, api: TestClient) -> None:
    ada = enter(api, Role.OPERATOR, "ada")
    key = {"X-API-Key": make_key(api, ada, Role.OPERATOR)["key"]}
    job = ask(api, ada)

    status = "/api/export/status/{}"
    assert told(api, "GET", status, job, key) == told(api, "GET", status, job, ada)


def test_the_same_idempotency_key_of_another_user_is_another_request(closed: None, api: TestClient) -> None:
    jobs = [
        api.post(
            "/api/export/csv", json=WISH, headers=enter(api, Role.OPERATOR, name) | {"Idempotency-Key": "1"}
        )
        for name in ("ada", "eve")
    ]
    assert len({answer.json()["job_id"] for answer in jobs}) == 2


def test_a_user_has_so_many_open_exports_and_a_cancelled_one_makes_room(
    closed: None, api: TestClient
) -> None:
    ada = enter(api, Role.OPERATOR, "ada")
    jobs = [ask(api, ada) for _ in range(MAX_OPEN_EXPORTS)]

    refused = api.post("/api/export/csv", json=WISH, headers=ada)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_exports")
    assert ask(api, enter(api, Role.OPERATOR, "eve"))

    api.delete(f"/api/export/{jobs[2]}", headers=ada)
    ask(api, ada)
    assert api.post("/api/export/csv", json=WISH, headers=ada).status_code == 429


@pytest.mark.xdist_group("engine")
def test_of_exports_asked_for_at_once_exactly_the_limit_is_open(engine_client: "DynamoDBClient") -> None:
    table = f"jobs-{uuid4().hex}"
    create_table(engine_client, "ExportJobsTable", table)
    jobs = ExportStore(engine_client, table, fresh_id=lambda: uuid4().hex)
    period = Interval(NOW - timedelta(days=2), NOW - timedelta(days=1))
    at_once = 12

    def ask_at_once(_: int) -> str | None:
        job = new_job(str(uuid4()), "123", period, "ada", NOW)
        barrier.wait()
        try:
            create_in_slot(jobs, job)
        except TooManyExportsError:
            return None
        return job.id

    barrier = Barrier(at_once, timeout=30)
    with ThreadPoolExecutor(at_once) as pool:
        created = [job for job in pool.map(ask_at_once, range(at_once)) if job]
    assert len(created) == MAX_OPEN_EXPORTS
    assert {job.id for job in jobs.page("123", 50, None).jobs} == set(created)

    for job_id in created[:2]:
        assert not isinstance(jobs.change(job_id, lambda job: cancel(job, NOW)), Refusal)
    barrier = Barrier(at_once, timeout=30)
    with ThreadPoolExecutor(at_once) as pool:
        assert len([job for job in pool.map(ask_at_once, range(at_once)) if job]) == 2
