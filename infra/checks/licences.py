"""`make licences`: lists the licences of the deployed packages, which are those of requirements.txt."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

from infra.build.packaging import ROOT

_ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "PSF-2.0",
    "Unlicense",
}
# The names in packages that do not use SPDX names yet: free text, and the classifiers of PyPI.
_OTHER_NAMES = {
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-2-Clause",  # or BSD-3-Clause, which is allowed too
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Python Software Foundation License": "PSF-2.0",
}


def licence_of(package: PackageMetadata) -> str:
    """Return the licence that a package declares, as an SPDX expression if its SPDX name is known."""
    if "License-Expression" in package:
        return package["License-Expression"]
    text = " ".join(package.get_all("License", []))
    text = _OTHER_NAMES.get(text, text)
    if text in _ALLOWED:
        return text
    classifiers = (line.split(" :: ") for line in package.get_all("Classifier", []))
    named = [parts[-1] for parts in classifiers if parts[0] == "License" and parts[-1] != "OSI Approved"]
    # Classifiers do not say whether several licences are alternatives or apply together: each must be allowed.
    return " AND ".join(sorted({_OTHER_NAMES.get(name, name) for name in named})) or text or "none"


def is_allowed(licence: str) -> bool:
    """Return whether one of the alternatives of `licence` consists of allowed licences only."""
    alternatives = licence.split(" OR ")
    return any(set(alternative.split(" AND ")) <= _ALLOWED for alternative in alternatives)


def licences(requirements: Path) -> Iterator[tuple[str, str]]:
    """Yield each package of `requirements` with its licence."""
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", requirements.read_text(), re.MULTILINE):
        try:
            licence = licence_of(metadata(name))
        except PackageNotFoundError:
            licence = "unknown: not installed here"
        yield f"{name} {version}", licence


def main(requirements: Path = ROOT / "requirements.txt") -> int:
    """Print packages and licences, and return the exit code."""
    found = dict(licences(requirements))
    for package, licence in found.items():
        print(f"{package:36} {licence}")
    refused = {package: licence for package, licence in found.items() if not is_allowed(licence)}
    for package, licence in refused.items():
        print(f"error: {package} is under {licence}, which is not allowed", file=sys.stderr)
    return 1 if refused or not found else 0


if __name__ == "__main__":
    sys.exit(main())
