import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.commands import processes
from infra.commands.command_error import CommandError
from infra.local.emulator import free_port


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_error_about_a_used_port_names_the_variable_that_chooses_another(used_port: int) -> None:
    with pytest.raises(CommandError) as error:
        processes.require_free(used_port, "PORT")
    assert str(error.value) == (
        f"port {used_port} is taken by another process: stop it, or choose another port with PORT="
    )


def test_a_port_used_on_every_interface_is_not_free() -> None:
    with socket.create_server(("", 0)) as server:
        assert not processes.is_free(server.getsockname()[1])


def test_the_same_folder_gets_the_same_port_unless_it_is_in_use(tmp_path: Path) -> None:
    first = free_port(tmp_path)
    assert free_port(tmp_path) == first
    with socket.create_server(("127.0.0.1", first)):
        assert free_port(tmp_path) != first


def test_a_child_sees_no_aws_profile_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "HTTPS_PROXY",
        "PYTHONPATH",
        "LOG_LEVEL",
    ):
        monkeypatch.setenv(name, "of the developer")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    environment = processes.child_environment({"STAGE": "local"})
    assert "of the developer" not in environment.values()
    assert environment["AWS_ACCESS_KEY_ID"] == "test"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == environment["AWS_CONFIG_FILE"] == os.devnull
    assert environment["STAGE"] == "local"


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    ignores = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(60)"
    log = tmp_path / "log"
    environment = processes.child_environment({})
    process = processes.spawn([sys.executable, "-c", ignores], environment, log, tmp_path)
    while not log.read_text():
        time.sleep(0.01)
    processes.stop(process, timeout=0.1)
    assert processes.describe_exit(process) == "SIGKILL"


def test_the_whole_process_group_is_stopped(tmp_path: Path) -> None:
    follower = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    leader = f"import subprocess, sys; print(subprocess.Popen({follower}).pid)"
    log = tmp_path / "log"
    process = processes.spawn([sys.executable, "-c", leader], processes.child_environment({}), log, tmp_path)
    process.wait()
    left = int(log.read_text())
    processes.stop(process, timeout=1)
    deadline = time.monotonic() + 5
    while _runs(left) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(left)


def _runs(process: int) -> bool:
    """Return whether a process exists and is not a zombie; a container may leave zombies unreaped."""
    try:
        os.kill(process, 0)
        status = Path(f"/proc/{process}/stat")
        return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_error_of_a_failed_command_contains_its_last_line() -> None:
    with pytest.raises(CommandError, match=r"no room left$"):
        processes.run_to_end([sys.executable, "-c", "print('starting'); raise SystemExit('no room left')"])


def test_a_port_without_a_listener_gives_no_answer() -> None:
    assert not processes.answers("http://127.0.0.1:9/health", timeout=0.5)
