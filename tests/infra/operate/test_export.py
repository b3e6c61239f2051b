from pathlib import Path

import pytest
from rich.console import Console

from infra.commands.command_error import CommandError
from infra.operate.export import export
from tests.engines import free_port

ORDER = {"METER": "123", "START": "2024-01-01T00:00:00Z", "END": "2024-01-02T00:00:00Z"}
NOWHERE = f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize("missing", sorted(ORDER))
def test_a_missing_argument_is_reported_before_anything_is_asked_for(tmp_path: Path, missing: str) -> None:
    with pytest.raises(CommandError, match=f"^{missing}= is required: "):
        export(NOWHERE, {**ORDER, missing: "", "FOLDER": str(tmp_path)}, Console())


@pytest.mark.parametrize("folder", ["missing", "file", "/proc"])
def test_a_folder_that_cannot_be_written_to_is_reported_before_anything_is_asked_for(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / folder
    with pytest.raises(CommandError, match=f"^FOLDER={path} cannot be written to: "):
        export(NOWHERE, {**ORDER, "FOLDER": str(path)}, Console())


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^the service does not answer at "):
        export(NOWHERE, {**ORDER, "FOLDER": str(tmp_path)}, Console())
    assert list(tmp_path.iterdir()) == []
