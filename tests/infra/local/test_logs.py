from pathlib import Path

from infra.local.logs import rotate


def test_the_logs_of_the_last_three_runs_stay(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    for run in range(5):
        rotate(log)
        assert not log.exists()
        log.write_text(f"run {run}")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "api.log": "run 4",
        "api.log.1": "run 3",
        "api.log.2": "run 2",
        "api.log.3": "run 1",
    }
