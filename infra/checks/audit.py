"""`make audit`: asks PyPI, with pip-audit, for known vulnerabilities of the packages that are deployed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.build.packaging import ROOT
from infra.commands.command_error import CommandError
from infra.commands.processes import last_line

_OPTIONS = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")


def vulnerabilities(pip_audit: Path, requirements: Path) -> Iterator[str]:
    """Yield the known vulnerabilities of the packages in `requirements`.

    Raises:
        CommandError: not every package could be audited.
    """
    command = [str(pip_audit), *_OPTIONS, "--requirement", str(requirements)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    try:
        packages: list[dict[str, Any]] = json.loads(process.stdout)["dependencies"]
    except ValueError:
        reason = last_line(process.stderr)
        raise CommandError(f"the audit failed, PyPI may be unreachable: {reason}") from None
    # pip-audit does not fail on a package index without vulnerabilities, such as a mirror.
    if skipped := [package["skip_reason"] for package in packages if "skip_reason" in package]:
        raise CommandError(f"{len(skipped)} packages were not audited: {skipped[0]}")
    for package in packages:
        for known in package["vulns"]:
            fixed = ", ".join(known["fix_versions"]) or "no version yet"
            yield f"{package['name']} {package['version']}: {known['id']}, fixed in {fixed}"


def main(pip_audit: str) -> int:
    """Print the known vulnerabilities and return the exit code."""
    try:
        known = list(vulnerabilities(Path(pip_audit), ROOT / "requirements.txt"))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(known) or "no known vulnerabilities in what is deployed")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
