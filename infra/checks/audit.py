"""`make audit`: asks PyPI, through pip-audit, what is known to be wrong with the packages that are deployed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.build.packaging import ROOT
from infra.commands.processes import CommandError, last_line

_OPTIONS = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")


def vulnerabilities(pip_audit: Path, requirements: Path) -> Iterator[str]:
    """Say what is known to be wrong with the packages of `requirements`.

    Raises:
        CommandError: that could not be found out for all of them.
    """
    command = [str(pip_audit), *_OPTIONS, "--requirement", str(requirements)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    try:
        packages: list[dict[str, Any]] = json.loads(process.stdout)["dependencies"]
    except ValueError:
        reason = last_line(process.stderr)
        raise CommandError(f"nothing was found out, PyPI may be out of reach: {reason}") from None
    # A package index that knows no vulnerabilities, as mirrors do, is for pip-audit no reason to fail.
    if skipped := [package["skip_reason"] for package in packages if "skip_reason" in package]:
        raise CommandError(f"of {len(skipped)} packages nothing was found out: {skipped[0]}")
    for package in packages:
        for known in package["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no version yet"
            yield f"{package['name']} {package['version']}: {known['id']}, mended in {mended}"


def main(pip_audit: str) -> int:
    """Print what is known; returns the exit code."""
    try:
        known = list(vulnerabilities(Path(pip_audit), ROOT / "requirements.txt"))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(known) or "nothing is known to be wrong with what is deployed")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
