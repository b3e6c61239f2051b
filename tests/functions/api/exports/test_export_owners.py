"""An export belongs to who asked for it; to others it is as if it were not there."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from domain.export_changes import Refusal, cancel
from domain.exports import CANCELLED_COUNTS, MAX_OPEN_EXPORTS, TooManyExportsError, new_job
from domain.meters.readings import Interval
from domain.users import Role
from functions.api.exports import exports as routes
from infra.contracts.event_payloads import utc_now
from infra.exports import job_store as stored_exports
from infra.exports.create_export import create_in_slot
from infra.exports.job_store import ExportStore
from infra.stores import stores
from tests.conftest import create_table
from tests.functions.api.people import Headers, bearer, enter, log_in, make_key, make_user

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PERIOD = {"start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-01-02T00:00:00Z"}
REQUEST = {"smart_meter_id": "123", "format": "csv"} | PERIOD
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def ask(api: TestClient, shown: Headers) -> str:
    answer = api.post("/api/export/csv", json=REQUEST, headers=shown)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job_id"])


def answer_of(api: TestClient, method: str, path: str, job: str, shown: Headers) -> tuple[int, str]:
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

    assert answer_of(api, method, path, job, eve) == answer_of(api, method, path, str(uuid4()), eve)

    # Nothing has happened to it, and an admin sees what its owner sees.
    status = answer_of(api, "GET", "/api/export/status/{}", job, ada)
    assert '"pending"' in status[1]
    assert answer_of(api, "GET", "/api/export/status/{}", job, admin) == status
    assert answer_of(api, method, path, job, admin) != answer_of(api, method, path, str(uuid4()), admin)


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
    assert answer_of(api, "GET", status, job, key) == answer_of(api, "GET", status, job, ada)


def test_the_same_idempotency_key_of_another_user_is_another_request(closed: None, api: TestClient) -> None:
    jobs = [
        api.post(
            "/api/export/csv",
            json=REQUEST,
            headers=enter(api, Role.OPERATOR, name) | {"Idempotency-Key": "1"},
        )
        for name in ("ada", "eve")
    ]
    assert len({answer.json()["job_id"] for answer in jobs}) == 2


def store_job(owner: str, meter_id: str, second: int) -> str:
    """Store a job that `owner` asked for, without the queue and the limit of open ones."""
    day = Interval(NOW - timedelta(days=2), NOW - timedelta(days=1))
    job = new_job(str(uuid4()), meter_id, day, owner, NOW + timedelta(seconds=second))
    stores().exports.create(job)
    return job.id


def test_a_page_of_a_history_reads_a_bounded_number_of_jobs_and_none_of_others(
    closed: None, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, eve = make_user("ada", Role.OPERATOR).id, make_user("eve", Role.OPERATOR).id
    own = [store_job(ada, "123", second) for second in (1, 2, 90, 91)]
    for second in range(10, 80):
        store_job(eve, "123", second)
        store_job(ada, "other", second)
    read: list[int] = []
    stores().exports.client.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: read.append(parsed["ScannedCount"])
    )
    monkeypatch.setattr(stored_exports, "MAX_ITEMS_READ", 10)

    assert history(api, bearer(log_in(api, "ada"))) == own[::-1]
    assert max(read) <= 10
    # Of her own 74 jobs each is read once, but for those of a page that were too many for it; of eve's none.
    assert sum(read) < 74 + 20


def test_a_history_of_others_jobs_is_that_of_a_meter_that_nobody_asked_about(
    closed: None, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = make_user("eve", Role.OPERATOR).id
    for second in range(30):
        store_job(eve, "123", second)
    monkeypatch.setattr(stored_exports, "MAX_ITEMS_READ", 5)
    ada = enter(api, Role.OPERATOR, "ada")
    answers = [
        api.get(f"/api/export/history/{meter}?limit=2", headers=ada).json() for meter in ("123", "none")
    ]
    assert answers[0] == answers[1]
    assert (answers[0]["items"], answers[0]["next_cursor"]) == ([], None)


def test_a_job_that_cannot_be_read_is_missing_from_the_history_and_takes_no_other_along(
    closed: None, api: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    ada, admin = make_user("ada", Role.OPERATOR).id, enter(api, Role.ADMIN, "root")
    jobs = [store_job(ada, "123", second) for second in range(4)]
    store = stores().exports
    store.client.update_item(
        TableName=store.table,
        Key={"job_id": {"S": jobs[2]}},
        UpdateExpression="SET progress = :progress",
        ExpressionAttributeValues={":progress": {"S": "half"}},
    )
    for shown in (bearer(log_in(api, "ada")), admin):
        assert history(api, shown) == [jobs[3], jobs[1], jobs[0]]
    assert {line.__dict__["job_id"] for line in caplog.records if line.exc_info} == {jobs[2]}


def test_a_user_has_so_many_open_exports_and_one_that_is_cancelled_counts_for_a_minute(
    closed: None, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = enter(api, Role.OPERATOR, "ada")
    now = utc_now()

    def at(seconds: int) -> None:
        monkeypatch.setattr(routes, "utc_now", lambda: now + timedelta(seconds=seconds))

    at(0)
    jobs = [ask(api, ada) for _ in range(MAX_OPEN_EXPORTS)]
    refused = api.post("/api/export/csv", json=REQUEST, headers=ada)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_exports")
    assert ask(api, enter(api, Role.OPERATOR, "eve"))

    api.delete(f"/api/export/{jobs[2]}", headers=ada)
    at(59)
    assert api.post("/api/export/csv", json=REQUEST, headers=ada).status_code == 429
    at(60)
    ask(api, ada)
    assert api.post("/api/export/csv", json=REQUEST, headers=ada).status_code == 429


def test_asking_and_cancelling_in_turn_gets_no_more_jobs_than_may_be_open(
    closed: None, api: TestClient
) -> None:
    ada = enter(api, Role.OPERATOR, "ada")
    answers = []
    for _ in range(4 * MAX_OPEN_EXPORTS):
        answers.append(api.post("/api/export/csv", json=REQUEST, headers=ada))
        if answers[-1].status_code == 200:
            api.delete(f"/api/export/{answers[-1].json()['job_id']}", headers=ada)
    assert [answer.status_code for answer in answers].count(200) == MAX_OPEN_EXPORTS


def test_of_exports_asked_for_at_once_exactly_the_limit_is_open(engine_client: "DynamoDBClient") -> None:
    table = f"jobs-{uuid4().hex}"
    create_table(engine_client, "ExportJobsTable", table)
    jobs = ExportStore(engine_client, table, fresh_id=lambda: uuid4().hex)
    period = Interval(NOW - timedelta(days=2), NOW - timedelta(days=1))
    at_once, later = 12, NOW

    def ask_at_once(_: int) -> str | None:
        job = new_job(str(uuid4()), "123", period, "ada", later)
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
    later = NOW + CANCELLED_COUNTS
    barrier = Barrier(at_once, timeout=30)
    with ThreadPoolExecutor(at_once) as pool:
        assert len([job for job in pool.map(ask_at_once, range(at_once)) if job]) == 2
