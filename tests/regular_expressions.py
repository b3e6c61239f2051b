"""Finds all regular expressions of the deployed code."""

import importlib
import pkgutil
import re
from typing import Any

import domain
import functions
import infra

NOT_DEPLOYED = {"build", "checks", "commands", "local", "operate"}
"""Folders of `infra` that are not deployed, so their code gets no text from callers."""


def compiled() -> dict[str, re.Pattern[Any]]:
    """Return every compiled pattern of the deployed packages."""
    found: dict[str, re.Pattern[Any]] = {}
    for package in (domain, functions, infra):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if NOT_DEPLOYED & set(module.name.split(".")):
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                patterns = value if isinstance(value, dict) else {name: value}
                found |= {
                    f"{module.name}.{name}.{pattern.pattern}": pattern
                    for pair in patterns.items()
                    for pattern in pair
                    if isinstance(pattern, re.Pattern)
                }
    return found
