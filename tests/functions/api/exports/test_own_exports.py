"""One's own exports: of all meters and of contracts, and the address of a file."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from domain.export_changes import Refusal, claim, fail
from domain.exports import Failure
from domain.users import Role
from infra.contracts.event_payloads import utc_now
from infra.exports import job_store
from infra.stores import stores
from tests.functions.api.exports.test_export_flow import simulated_meter, work
from tests.functions.api.people import Headers, enter

Work = Callable[[], None]
__all__ = ["simulated_meter", "work"]  # fixtures
ORDER = {
    "smart_meter_id": "123",
    "start_datetime": "2024-01-01T00:00:00Z",
    "end_datetime": "2024-01-01T00:10:00Z",
    "format": "csv",
}


def ask(api: TestClient, headers: Headers | None = None, **changes: Any) -> str:
    answer = api.post("/api/export/csv", json=ORDER | changes, headers=headers or {})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job_id"])


def break_down(job_id: str) -> None:
    now = utc_now()
    claimed = stores().exports.change(job_id, lambda job: claim(job, now))
    assert not isinstance(claimed, Refusal)
    failure = Failure("EXPORT_FAILED", "It failed.", "")
    failed = stores().exports.change(job_id, lambda job: fail(job, claimed.attempt, failure, now))
    assert not isinstance(failed, Refusal)


def listed(api: TestClient, headers: Headers | None = None, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = api.get("/api/export", params=query, headers=headers or {}).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def test_ones_own_exports_of_all_meters_and_of_contracts_come_the_newest_first(
    closed: None, api: TestClient
) -> None:
    ada, eve = enter(api, Role.OPERATOR, "ada"), enter(api, Role.ADMIN, "eve")
    first = ask(api, ada)
    ask(api, eve)
    second = ask(api, ada, smart_meter_id="124")
    third = str(api.post("/api/export/contracts", json={"format": "csv"}, headers=ada).json()["job_id"])

    found = listed(api, ada, limit=2)

    assert [job["job_id"] for job in found] == [third, second, first]
    assert [job["kind"] for job in found] == ["contracts", "readings", "readings"]
    assert [job.get("smart_meter_id") for job in found] == [None, "124", "123"]
    assert found[2]["export_period"] == {"start": ORDER["start_datetime"], "end": ORDER["end_datetime"]}


def test_only_those_with_a_status_are_listed_if_one_is_named(api: TestClient) -> None:
    jobs = [ask(api) for _ in range(4)]
    break_down(jobs[1])
    break_down(jobs[3])

    found = listed(api, status="failed", limit=1)

    assert [(job["job_id"], job["error"]["code"]) for job in found] == [
        (jobs[3], "EXPORT_FAILED"),
        (jobs[1], "EXPORT_FAILED"),
    ]
    assert len(listed(api, status="pending")) == 2
    assert listed(api, status="completed") == []


def test_a_page_reads_no_more_than_it_shows_or_a_bounded_number(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(8):
        ask(api)
    read: list[int] = []
    stores().exports.client.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: read.append(parsed["ScannedCount"])
    )
    monkeypatch.setattr(job_store, "MAX_ITEMS_READ", 4)

    assert len(listed(api, limit=3)) == 8
    assert max(read) <= 4  # one more than a page shows tells whether others follow
    assert listed(api, limit=2, status="failed") == []
    assert max(read) <= 4


def test_an_unknown_status_and_the_cursor_of_another_list_are_refused(closed: None, api: TestClient) -> None:
    ada, eve = enter(api, Role.OPERATOR, "ada"), enter(api, Role.OPERATOR, "eve")
    for _ in range(2):
        ask(api, ada)
    cursor = api.get("/api/export?limit=1", headers=ada).json()["next_cursor"]

    assert api.get("/api/export?status=expired", headers=ada).status_code == 400
    for query, headers in (({"status": "pending"}, ada), ({}, eve)):
        answer = api.get("/api/export", params=query | {"cursor": cursor}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


def test_with_link_the_answer_is_an_address_of_the_file_that_needs_no_credentials(
    api: TestClient, work: Work
) -> None:
    job = ask(api)
    assert api.get(f"/api/export/download/{job}?link=true").status_code == 404
    work()

    answer = api.get(f"/api/export/download/{job}?link=true")

    assert (answer.status_code, answer.json()["expires_in"]) == (200, 300)
    assert "Signature" in answer.json()["url"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_foreign_job_has_no_link(closed: None, api: TestClient, work: Work) -> None:
    ada, eve = enter(api, Role.OPERATOR, "ada"), enter(api, Role.OPERATOR, "eve")
    job = ask(api, ada)
    work()

    answers = [api.get(f"/api/export/download/{name}?link=true", headers=eve) for name in (job, uuid4())]

    assert [answer.status_code for answer in answers] == [404, 404]
