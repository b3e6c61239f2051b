"""Settings with which the service refuses to start."""

import pytest

from infra.settings import ApiSettings, AuthMode, Registration, SettingsError, settings
from tests.functions.api.calls import started

PAGE = "https://app.example.com"
EMULATOR = "http://127.0.0.1:4566"
REAL = "https://dynamodb.eu-central-1.amazonaws.com"


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
def test_the_service_refuses_to_start_with_unsafe_settings(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
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
def test_auth_mode_open_is_allowed_with_an_emulated_aws(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """The emulated AWS sets AWS_LAMBDA_FUNCTION_NAME like Lambda, so that variable alone proves nothing."""
    variables = {"AUTH_MODE": "open", "STAGE": "local", "AWS_LAMBDA_FUNCTION_NAME": "api"}
    assert started(monkeypatch, **variables, AWS_ENDPOINT_URL=address)


def test_the_service_does_not_start_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNING_SECRET")
    with pytest.raises(SettingsError, match="SIGNING_SECRET"):
        started(monkeypatch)


def test_the_defaults_are_the_safe_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTH_MODE", "REGISTRATION"):
        monkeypatch.delenv(name)
    chosen = settings(ApiSettings)

    assert (chosen.auth_mode, chosen.registration) == (AuthMode.REQUIRED, Registration.CLOSED)
    assert (chosen.allowed_origins, chosen.allowed_hosts, chosen.allow_credentials) == ((), (), False)


@pytest.mark.parametrize("secret", ["", "short", '{"current": "short"}', '{"previous": "' + "p" * 64 + '"}'])
def test_a_signing_secret_that_is_too_short_is_refused(
    cloud: None, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    import boto3  # noqa: PLC0415

    from infra.secrets import UnusableSecretError, signing_keys  # noqa: PLC0415

    boto3.client("secretsmanager").create_secret(Name=f"weak-{secret}"[:12], SecretString=secret or " ")
    with pytest.raises(UnusableSecretError):
        signing_keys(f"weak-{secret}"[:12], "tokens")
