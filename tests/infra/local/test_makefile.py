import os
import re
import subprocess
from pathlib import Path

from infra.build.packaging import ROOT


def test_help_lists_each_target_that_has_a_description() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    described = re.findall(r"^([^\s:]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "e2e" in described
    assert [line.split()[0] for line in listed.stdout.splitlines()] == described


PROBE = 'include Makefile\nprobe:\n\t@echo "$$XDG_CACHE_HOME|$$PIP_CACHE_DIR|$$npm_config_cache"\n'


def caches(home: Path, **more: str) -> list[str]:
    """Return the folders that `make` sets for uv, pip and npm."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **more}
    made = subprocess.run(
        ["make", "-s", "-f", "-", "probe"],
        cwd=ROOT,
        env=environment,
        input=PROBE,
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip().split("|")


def test_caches_are_in_the_checkout_only_where_the_home_folder_cannot_be_written_to(tmp_path: Path) -> None:
    own = [
        str(ROOT / ".tools" / "cache"),
        *(str(ROOT / ".tools" / "cache" / tool) for tool in ("pip", "npm")),
    ]
    assert caches(tmp_path) == ["", "", ""]
    assert caches(tmp_path / "missing") == own
    assert caches(Path("/dev/null")) == own  # the home folder of some users that run services
    (tmp_path / ".cache").mkdir()
    assert caches(tmp_path) == ["", "", ""]
    assert caches(tmp_path / "missing", XDG_CACHE_HOME=str(tmp_path)) == [str(tmp_path), "", ""]
