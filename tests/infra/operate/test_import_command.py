from pathlib import Path

import pytest
from rich.console import Console

from infra.commands.command_error import CommandError
from infra.operate.import_contracts import import_file
from tests.engines import free_port

NOWHERE = f"http://127.0.0.1:{free_port()}"


def test_a_service_that_does_not_answer_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "contracts.ndjson"
    file.write_text('{"contract_number": "1", "components": {"energy_supply": {}}}\n')
    with pytest.raises(CommandError, match=r"^the service does not answer .* run it again to do the rest$"):
        import_file(NOWHERE, {"FILE": str(file)}, Console())
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_missing_or_not_named_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^FILE= is required: the file to import$"):
        import_file(NOWHERE, {}, Console())
    with pytest.raises(CommandError, match="No such file"):
        import_file(NOWHERE, {"FILE": str(tmp_path / "missing")}, Console())
    assert list(tmp_path.iterdir()) == []
