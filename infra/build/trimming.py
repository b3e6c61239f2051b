"""What of the installed packages goes into the layer: what is imported, read, or owed to their authors."""

from pathlib import Path, PurePath

AWS_SERVICES = ("dynamodb", "events", "s3", "secretsmanager", "sqs")
"""The services that the functions call. botocore describes some four hundred, in nine tenths of its size."""

_FOLDERS = frozenset({"test", "tests", "__pycache__"})
_DOCUMENTATION = frozenset({"examples-1.json"})
# Scanners read METADATA; OpenTelemetry, which FastAPI brings, finds by entry points what its variables name.
_METADATA = frozenset({"METADATA", "entry_points.txt"})
_LEGAL = ("AUTHORS", "COPYING", "LICENCE", "LICENSE", "NOTICE")


def trim(packages: Path) -> None:
    """Delete what `is_needed` does not name from a folder of installed packages."""
    for path in sorted(packages.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif not is_needed(path.relative_to(packages)):
            path.unlink()


def is_needed(file: PurePath) -> bool:
    """Tell whether a file, named from the folder of packages, goes into the layer."""
    package, *folders = file.parts[:-1] or ("",)
    if package.endswith(".dist-info"):
        return file.name in _METADATA or "licenses" in folders or file.name.startswith(_LEGAL)
    if package in ("boto3", "botocore") and folders[:1] == ["data"]:
        described = folders[1:2]  # nothing where the file is about all services
        return set(described) <= set(AWS_SERVICES) and file.name not in _DOCUMENTATION
    return package != "bin" and file.suffix != ".pyi" and not _FOLDERS.intersection(file.parts[:-1])
