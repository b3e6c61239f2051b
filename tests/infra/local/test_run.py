from pathlib import Path

import pytest

from infra.commands.command_error import CommandError
from infra.local.api_process import first_syntax_error
from infra.local.run_settings import RunSettings


def settings(tmp_path: Path, **environment: str) -> RunSettings:
    return RunSettings.from_environment(environment, tmp_path)


def test_a_local_run_needs_no_credentials_unless_set(tmp_path: Path) -> None:
    default = {
        "Stage": "local",
        "AllowedHosts": "127.0.0.1,localhost,host.docker.internal",
        "AuthMode": "open",
        "EnableEventAudit": "true",
        "EventLogDays": "30",
        "LogLevel": "INFO",
        "Registration": "open",
    }
    assert settings(tmp_path).parameters == default
    chosen = {"LOG_LEVEL": "DEBUG", "ENABLE_EVENT_AUDIT": "false", "REGISTRATION": "closed"}
    chosen_settings = settings(tmp_path, AUTH_MODE="required", **chosen)
    assert chosen_settings.parameters == {
        "Stage": "local",
        "AllowedHosts": "127.0.0.1,localhost,host.docker.internal",
        "AuthMode": "required",
        "EnableEventAudit": "false",
        "EventLogDays": "30",
        "LogLevel": "DEBUG",
        "Registration": "closed",
    }


def test_a_run_answers_under_the_address_it_is_bound_to(tmp_path: Path) -> None:
    hosts = settings(tmp_path, BIND_HOST="172.17.0.1").parameters["AllowedHosts"]
    assert hosts == "127.0.0.1,localhost,host.docker.internal,172.17.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1", "localhost"])  # noqa: S104 - refused
def test_an_address_that_is_not_one_for_containers_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(CommandError, match=f"^BIND_HOST={host} .*(name the one|leave it out)"):
        settings(tmp_path, BIND_HOST=host)


def test_ports_and_folder_come_from_the_environment(tmp_path: Path) -> None:
    default = settings(tmp_path)
    assert (default.port, default.cloud_port) == (8000, None)
    assert default.directory.path == tmp_path / ".run"
    chosen = settings(tmp_path, PORT="9000", GATEWAY_PORT="9001", RUN_DIR=str(tmp_path / "other"))
    assert (chosen.port, chosen.cloud_port) == (9000, 9001)
    assert chosen.directory.path == tmp_path / "other"


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "8000.0", "٣"])
def test_an_invalid_port_is_reported(tmp_path: Path, port: str) -> None:
    with pytest.raises(CommandError, match="is not a port"):
        settings(tmp_path, PORT=port)


def test_the_first_syntax_error_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain" / "good.py").write_text("x = 1\n")
    assert first_syntax_error(tmp_path) is None
    (tmp_path / "domain" / "rules.py").write_text("x = 1\ndef y(:\n")
    assert first_syntax_error(tmp_path) == "domain/rules.py:2: invalid syntax"
