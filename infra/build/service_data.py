"""Shortens botocore's descriptions of AWS, which each cold start reads and parses.

Of the endpoints of all services in all regions only those of the services that are called stay, and of these
services' models everything but the documentation.
"""

import gzip
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

_MODEL = "service-2.json"


def shorten(packages: Path, services: Collection[str]) -> None:
    """Shorten the descriptions in a folder of installed packages."""
    data = packages / "botocore" / "data"
    endpoints = data / "endpoints.json"
    if endpoints.exists():
        _write(endpoints, with_services(json.loads(endpoints.read_bytes()), services))
    for compressed in sorted(data.glob(f"*/*/{_MODEL}.gz")):
        model = json.loads(gzip.decompress(compressed.read_bytes()))
        # Not compressed: the layer is, and Lambda unpacks it before the function starts.
        _write(compressed.with_name(_MODEL), without_documentation(model))
        compressed.unlink()


def with_services(endpoints: dict[str, Any], services: Collection[str]) -> dict[str, Any]:
    """Return `endpoints` with the given services only."""
    partitions = [
        partition
        | {
            "services": {
                name: partition["services"][name] for name in services if name in partition["services"]
            }
        }
        for partition in endpoints["partitions"]
    ]
    return endpoints | {"partitions": partitions}


def without_documentation(model: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a model, or a part of one, with empty documentation, which botocore requires in some places.

    A member of a shape may itself be called `documentation`; its value is not a text.
    """
    if isinstance(model, dict):
        return {
            name: "" if name == "documentation" and isinstance(part, str) else without_documentation(part)
            for name, part in model.items()
        }
    return [without_documentation(part) for part in model] if isinstance(model, list) else model


def _write(file: Path, content: Any) -> None:  # noqa: ANN401 - any JSON
    # Installers may link files to their cache: writing into one would change it in every other environment.
    file.unlink(missing_ok=True)
    file.write_text(json.dumps(content, separators=(",", ":")))
