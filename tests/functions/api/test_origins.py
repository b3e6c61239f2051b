"""Which pages and which hosts are served, and what a start is refused for."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from functions.api.app import create_app, start
from infra.settings import ApiSettings, AuthMode, Registration, settings
from tests.conftest import forget

PAGE = "https://app.example.com"
EMULATOR = "http://127.0.0.1:4566"
REAL = "https://dynamodb.eu-central-1.amazonaws.com"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


def started(monkeypatch: pytest.MonkeyPatch, **variables: str) -> TestClient:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    forget()
    return TestClient(start(), raise_server_exceptions=False)


def test_no_page_may_call_unless_its_origin_is_configured(
    cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = started(monkeypatch)

    assert api.options("/event", headers=PREFLIGHT).status_code == 405
    answer = api.get("/health", headers={"Origin": PAGE})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_pages_of_configured_origins_may_call_and_no_others(
    cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = started(monkeypatch, ALLOWED_ORIGINS=f"{PAGE}, https://other.example.com")

    preflight = api.options("/event", headers=PREFLIGHT)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    assert preflight.headers["X-Request-ID"]
    assert api.get("/health", headers={"Origin": PAGE}).headers["Access-Control-Allow-Origin"] == PAGE

    refused = api.options("/event", headers=PREFLIGHT | {"Origin": "https://evil.example.com"})
    assert (refused.status_code, refused.json()["code"]) == (400, "cors_refused")
    assert refused.json()["request_id"] == refused.headers["X-Request-ID"]
    answer = api.get("/health", headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_pages_may_read_what_went_wrong(
    cloud: None, monkeypatch: pytest.MonkeyPatch, dynamodb_raises: Callable[[Exception], None]
) -> None:
    api = started(monkeypatch, ALLOWED_ORIGINS=PAGE)
    page = {"Origin": PAGE}
    answers = [api.post("/event", content=b"x" * 2**21, headers=page)]
    dynamodb_raises(RuntimeError("boom"))
    answers.append(api.get("/contract/1001", headers=page))
    assert [answer.status_code for answer in answers] == [413, 500]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"]


def test_hosts_that_are_not_the_services_own_are_refused(
    cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = started(monkeypatch, ALLOWED_HOSTS="api.example.com,*.internal.example.com")

    for host in ("api.example.com", "API.example.com:443", "a.internal.example.com"):
        assert api.get("/health", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example.com", "internal.example.com", "api.example.com.evil", ""):
        answer = api.get("/health", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host"), host
    assert TestClient(create_app()).get("/health", headers={"Host": "any"}).status_code == 200


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"ALLOWED_ORIGINS": "*", "ALLOW_CREDENTIALS": "true"}, "any site act as its visitors"),
        ({"ALLOWED_ORIGINS": f"{PAGE},*", "ALLOW_CREDENTIALS": "true"}, "any site act as its visitors"),
        ({"AUTH_MODE": "open", "STAGE": "prod"}, "for local runs only"),
        ({"AUTH_MODE": "open", "STAGE": "prod", "AWS_ENDPOINT_URL": EMULATOR}, "for local runs only"),
        ({"AUTH_MODE": "open", "STAGE": "local"}, "needs the address of an emulated AWS"),
        ({"AUTH_MODE": "open", "STAGE": "local", "AWS_ENDPOINT_URL": REAL}, "needs the address of an"),
        ({"AUTH_MODE": "open", "STAGE": "local", "AWS_ENDPOINT_URL": "127.0.0.1"}, "needs the address of an"),
        (
            {"AUTH_MODE": "open", "STAGE": "test", "AWS_LAMBDA_FUNCTION_NAME": "api"},
            "needs the address of an",
        ),
        ({"AUTH_MODE": "opne"}, "AUTH_MODE"),
        ({"SIGNING_SECRET": ""}, "SIGNING_SECRET"),
        ({"REGISTRATION": "maybe"}, "REGISTRATION"),
    ],
)
def test_the_service_does_not_start_unsafely(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        started(monkeypatch, **variables)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:4566",
        "https://[::1]:4566",
        "http://localhost:4566/",
        "http://host.docker.internal:4566",
    ],
)
def test_a_local_run_is_open_where_its_aws_is_emulated(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """The emulated AWS gives functions a name as Lambda does, so a name alone tells nothing."""
    variables = {"AUTH_MODE": "open", "STAGE": "local", "AWS_LAMBDA_FUNCTION_NAME": "api"}
    assert started(monkeypatch, **variables, AWS_ENDPOINT_URL=address)


def test_the_service_does_not_start_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNING_SECRET")
    with pytest.raises(ValidationError, match="SIGNING_SECRET"):
        started(monkeypatch)


def test_what_nobody_has_chosen_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTH_MODE", "REGISTRATION"):
        monkeypatch.delenv(name)
    told = settings(ApiSettings)

    assert (told.auth_mode, told.registration) == (AuthMode.REQUIRED, Registration.CLOSED)
    assert (told.allowed_origins, told.allowed_hosts, told.allow_credentials) == ((), (), False)


@pytest.mark.parametrize("secret", ["", "short", '{"current": "short"}', '{"previous": "' + "p" * 64 + '"}'])
def test_a_secret_too_short_signs_nothing(cloud: None, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    import boto3  # noqa: PLC0415

    from infra.secrets import UnusableSecretError, signing_keys  # noqa: PLC0415

    boto3.client("secretsmanager").create_secret(Name=f"weak-{secret}"[:12], SecretString=secret or " ")
    with pytest.raises(UnusableSecretError):
        signing_keys(f"weak-{secret}"[:12], "tokens")
