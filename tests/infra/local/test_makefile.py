import re
import subprocess

from infra.build.packaging import ROOT


def test_help_lists_each_target_that_has_a_description() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    described = re.findall(r"^([^\s:]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "e2e" in described
    assert [line.split()[0] for line in listed.stdout.splitlines()] == described
