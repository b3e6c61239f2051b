import json
import os
from pathlib import Path

import pytest

from infra.commands.command_error import CommandError
from infra.local.run_directory import RunDirectory


def test_two_runs_cannot_use_one_folder(tmp_path: Path) -> None:
    with RunDirectory(tmp_path).locked(), pytest.raises(CommandError, match=f"process {os.getpid()}"):
        RunDirectory(tmp_path).locked(timeout=0.2).__enter__()


def test_a_run_that_is_up_is_not_waited_for(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    with (
        directory.locked(),
        directory.announced({}),
        pytest.raises(CommandError, match="in use by another run"),
    ):
        RunDirectory(tmp_path).locked(timeout=3600).__enter__()


def test_the_folder_is_free_again_after_a_run(tmp_path: Path) -> None:
    for _ in range(2):
        with RunDirectory(tmp_path).locked(timeout=0):
            pass


def test_outputs_exist_only_while_the_run_is_ready(tmp_path: Path) -> None:
    directory, outputs = RunDirectory(tmp_path), tmp_path / "outputs.json"
    with directory.locked():
        assert not outputs.exists()
        with directory.announced({"api_url": "http://127.0.0.1:8000"}):
            assert json.loads(outputs.read_text()) == {"api_url": "http://127.0.0.1:8000"}
        assert not outputs.exists()


def test_outputs_of_a_killed_run_are_deleted_when_the_next_starts(tmp_path: Path) -> None:
    (tmp_path / "outputs.json").write_text("{}")
    with RunDirectory(tmp_path).locked():
        assert not (tmp_path / "outputs.json").exists()


def test_the_port_of_the_first_run_is_kept(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert directory.cloud_port() is None
    directory.keep_cloud_port(23456)
    assert RunDirectory(tmp_path).cloud_port() == 23456


def test_cleaning_removes_what_a_run_left_and_nothing_else(tmp_path: Path) -> None:
    with RunDirectory(tmp_path).locked():
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "dynamodb.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    RunDirectory(tmp_path).clean()
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_cleaning_removes_a_folder_that_holds_nothing_else(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run").locked():
        pass
    RunDirectory(tmp_path / "run").clean()
    assert not (tmp_path / "run").exists()


def test_cleaning_does_not_touch_a_folder_without_a_run(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    RunDirectory(tmp_path).clean()
    assert (tmp_path / "state").is_dir()


def test_cleaning_does_not_touch_a_run_that_is_up(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.logs.mkdir()
    with directory.locked(), pytest.raises(CommandError, match="in use"):
        RunDirectory(tmp_path).clean()
    assert directory.logs.is_dir()


def test_an_unusable_folder_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be used"):
        RunDirectory(tmp_path / "file").locked().__enter__()


def test_the_environment_of_containers_exists_only_while_the_run_is_up(tmp_path: Path) -> None:
    directory, environment = RunDirectory(tmp_path), tmp_path / "sam-local.json"
    with directory.locked():
        directory.write_container_environment({"ApiFunction": {"STAGE": "local"}})
        assert json.loads(environment.read_text()) == {"ApiFunction": {"STAGE": "local"}}
    assert not environment.exists()


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_a_run_makes_its_folder_and_the_data_of_previous_runs_private(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    (folder / "state").mkdir(mode=0o755)
    (folder / "lock").touch(mode=0o644)
    directory = RunDirectory(folder)
    with directory.locked(), directory.announced({}, {"AWS_SESSION_TOKEN": "secret"}):
        directory.write_container_environment({})
        assert (folder / "aws.env").read_text() == "export AWS_SESSION_TOKEN=secret\n"
        found = {entry.name: mode(entry) for entry in folder.iterdir()}
        private = dict.fromkeys(("lock", "outputs.json", "sam-local.json", "aws.env"), "0o600")
        assert found == {"state": "0o700", **private}
        assert mode(folder) == "0o700"
    assert not (folder / "aws.env").exists()


def test_the_mode_of_a_folder_with_other_content_is_not_changed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "notes.txt").touch(mode=0o644)
    with RunDirectory(tmp_path).locked():
        assert (mode(tmp_path), mode(tmp_path / "notes.txt")) == ("0o755", "0o644")
        assert mode(tmp_path / "lock") == "0o600"
