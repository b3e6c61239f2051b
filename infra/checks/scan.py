"""`make scan`: runs checkov on the expanded template.yaml."""

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
from infra.checks.expand import expand
from infra.commands.command_error import CommandError
from infra.commands.processes import REGION, child_environment, last_line

# Both with a customer-managed key: checkov does not know that AWS's own keys encrypt resources without one.
_KEY = {"KmsKeyArn": f"arn:aws:kms:{REGION}:123456789012:key/11111111-2222-3333-4444-555555555555"}
_EXPANSIONS = {
    "production": {**_KEY, "Stage": "prod", "AlarmEmail": "ops@example.com", "Tracing": "true"},
    "defaults": _KEY,
}
_TIMEOUT_SECONDS = 300


def findings(checkov: Path, template: Template, config: Path = ROOT / ".checkov.yaml") -> Iterator[str]:
    """Yield the resources of `template` that fail a check of checkov, except for the checks that `config` excludes.

    Raises:
        CommandError: the template cannot be expanded, or checkov did not check all resources.
    """
    with TemporaryDirectory() as folder:
        resources = 0
        for name, parameters in _EXPANSIONS.items():
            expanded = expand(template, parameters_for(template, parameters))
            resources += len(expanded["Resources"])
            Path(folder, f"{name}.json").write_text(json.dumps(expanded, indent=1))
        report = _run(checkov, folder, config)
    checked = report.get("summary", report)["resource_count"]
    if checked != resources:  # it skips files that it cannot read, and reports success
        raise CommandError(f"checkov checked {checked} of {resources} resources")
    files = defaultdict(list)
    for found in report["results"]["failed_checks"]:
        files[f"{found['check_id']} {found['resource']}: {found['check_name']}"].append(found["file_path"])
    for finding, paths in sorted(files.items()):
        yield f"{finding} ({', '.join(sorted(Path(path).stem for path in paths))})"


def _run(checkov: Path, folder: str, config: Path) -> dict[str, Any]:
    command = [str(checkov), "--config-file", str(config), "--directory", folder, "--compact", "-o", "json"]
    try:
        # Without the developer's environment: with an API key in it, checkov would upload the results to its platform.
        process = subprocess.run(  # noqa: S603 - our own command
            command,
            env=child_environment({}),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        report: dict[str, Any] = json.loads(process.stdout)
    except subprocess.TimeoutExpired:
        raise CommandError(f"checkov did not finish within {_TIMEOUT_SECONDS} s") from None
    except ValueError:
        raise CommandError(f"checkov failed: {last_line(process.stderr)}") from None
    return report


def main(checkov: str, template: str = "template.yaml") -> int:
    """Print the findings and return the exit code."""
    logging.getLogger("samtranslator").setLevel(
        logging.ERROR
    )  # it warns of feature switches that only AWS has
    try:
        found = list(findings(Path(checkov), read(Path(template))))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(found) or f"checkov finds nothing in {template}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
