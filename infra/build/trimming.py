"""Selects the files of the installed packages that the layer needs: those imported or read, and the licences."""

from pathlib import Path, PurePath

from infra.build import service_data

AWS_SERVICES = ("dynamodb", "events", "s3", "secretsmanager", "sqs")
"""The services that the functions call. botocore describes about 400, which are nine tenths of its size."""

_FOLDERS = frozenset({"test", "tests", "__pycache__"})
_DOCUMENTATION = frozenset({"examples-1.json"})
# By these rules botocore computes the address of a service for each call. Without them it takes what `endpoints.json`
# says of the region: for DynamoDB the same, but for addresses with an account's number, which nothing here uses.
_ENDPOINT_RULES = ("dynamodb", "endpoint-rule-set-1.json.gz")
# Scanners read METADATA; OpenTelemetry, which FastAPI depends on, finds its plug-ins by their entry points.
_METADATA = frozenset({"METADATA", "entry_points.txt"})
_LEGAL = ("AUTHORS", "COPYING", "LICENCE", "LICENSE", "NOTICE")


def trim(packages: Path) -> None:
    """Delete the files that the layer does not need from a folder of installed packages."""
    for path in sorted(packages.rglob("*"), reverse=True):  # the content of a folder before the folder
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif not is_needed(path.relative_to(packages)):
            path.unlink()
    service_data.shorten(packages, AWS_SERVICES)


def is_needed(file: PurePath) -> bool:
    """Return whether the layer needs a file; its path is relative to the folder of packages."""
    package, *folders = file.parts[:-1] or ("",)
    if package.endswith(".dist-info"):
        return file.name in _METADATA or "licenses" in folders or file.name.startswith(_LEGAL)
    if package in ("boto3", "botocore") and folders[:1] == ["data"]:
        service = folders[1:2]  # empty for a file about all services
        is_left_out = file.name in _DOCUMENTATION or (*service, file.name) == _ENDPOINT_RULES
        return set(service) <= set(AWS_SERVICES) and not is_left_out
    return package != "bin" and file.suffix != ".pyi" and not _FOLDERS.intersection(file.parts[:-1])
