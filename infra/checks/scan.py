"""`make scan`: checkov on what CloudFormation makes of template.yaml."""

import json
import logging
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.build.packaging import ROOT
from infra.build.template import Template, parameters_for, read
from infra.checks.expand import expanded
from infra.commands.processes import REGION, CommandError, child_environment, last_line

# Both with a key of one's own: checkov does not know that AWS's keys encrypt what has none.
_KEY = {"KmsKeyArn": f"arn:aws:kms:{REGION}:123456789012:key/11111111-2222-3333-4444-555555555555"}
_EXPANSIONS = {
    "production": {**_KEY, "Stage": "prod", "AlarmEmail": "ops@example.com"},
    "defaults": _KEY,
}
_SECONDS = 300


def findings(checkov: Path, template: Template, config: Path = ROOT / ".checkov.yaml") -> Iterator[str]:
    """Say which resources of `template` break which of checkov's checks, those that `config` excludes apart.

    Raises:
        CommandError: the template cannot be expanded, or checkov did not look at all of it.
    """
    with TemporaryDirectory() as folder:
        resources = 0
        for name, parameters in _EXPANSIONS.items():
            made = expanded(template, parameters_for(template, parameters))
            resources += len(made["Resources"])
            Path(folder, f"{name}.json").write_text(json.dumps(made, indent=1))
        report = _report(checkov, folder, config)
    seen = report.get("summary", report)["resource_count"]
    if seen != resources:  # what it cannot read it passes over, and calls that success
        raise CommandError(f"checkov looked at {seen} of {resources} resources")
    where = defaultdict(list)
    for found in report["results"]["failed_checks"]:
        where[f"{found['check_id']} {found['resource']}: {found['check_name']}"].append(found["file_path"])
    for what, files in sorted(where.items()):
        yield f"{what} ({', '.join(sorted(Path(file).stem for file in files))})"


def _report(checkov: Path, folder: str, config: Path) -> dict[str, Any]:
    command = [str(checkov), "--config-file", str(config), "--directory", folder, "--compact", "-o", "json"]
    try:
        # Without the developer's environment: a key of checkov's platform would make it send the results there.
        process = subprocess.run(  # noqa: S603 - our own command
            command, env=child_environment({}), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        report: dict[str, Any] = json.loads(process.stdout)
    except subprocess.TimeoutExpired:
        raise CommandError(f"checkov is not done after {_SECONDS} s") from None
    except ValueError:
        raise CommandError(f"checkov fails: {last_line(process.stderr)}") from None
    return report


def main(checkov: str, template: str = "template.yaml") -> int:
    """Print what is found; returns the exit code."""
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of switches that only AWS has
    try:
        found = list(findings(Path(checkov), read(Path(template))))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(found) or f"checkov finds nothing in {template}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
