"""Looks at what `sam build` made: each function is our code alone, the layer is the dependencies alone.

`pin` has the built template say what the layer was built for, so that nothing else can be deployed with it:
CloudFormation refuses a parameter that is not among the allowed values before it changes anything.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from infra.build import template
from infra.build.bytecode import tag_of
from infra.build.packaging import PACKAGES, ROOT, code_files, zip_folder
from infra.build.template import Template
from infra.build.trimming import is_needed
from infra.commands.processes import CommandError

_LAYER = "DependencyLayer"
_NEEDED_IN_LAYER = ("botocore", "fastapi", "mangum", "pydantic", "pydantic_core")
_LAMBDA_LIMIT = 250 * 2**20  # of a function and its layers together, unpacked

# A compiled module is an ELF file; two bytes of its header name the processor.
_MACHINES = {b"\x3e\x00": "x86_64", b"\xb7\x00": "arm64"}
_MACHINE = slice(18, 20)

# The second word of bytecode: taken as it is, without a look at the source or its time stamp.
_UNCHECKED = b"\x01\x00\x00\x00"
_FLAGS = slice(4, 8)


def problems(build: Path, root: Path = ROOT) -> Iterator[str]:
    """Say what is wrong with the artifacts in the folder `build`.

    Raises:
        CommandError: there is no template that can be read.
    """
    described = template.read(build / "template.yaml")
    python = described["Globals"]["Function"]["Runtime"].removeprefix("python")
    functions, layer = sorted(build.glob("*Function")), build / _LAYER
    if not functions:
        yield f"{build} holds no function"
    for function in functions:
        yield from _of_a_function(function, root)
        if size(function) + size(layer) > _LAMBDA_LIMIT:
            yield f"{function.name} and the layer are {size(function) + size(layer)} bytes, more than Lambda takes"
    yield from _of_the_layer(layer, python, _architectures(described))
    yield from _of_bytecode(build, python)


def _of_a_function(function: Path, root: Path) -> Iterator[str]:
    found, wanted = {name for name in _files(function) if not _is_bytecode(name)}, set(code_files(root))
    yield from (f"{function.name} lacks {name}" for name in sorted(wanted - found))
    yield from (f"{function.name} has {name}" for name in sorted(found - wanted))


def _of_the_layer(layer: Path, python: str, architectures: set[str]) -> Iterator[str]:
    packages = layer / "python"
    yield from (f"the layer lacks {name}" for name in _NEEDED_IN_LAYER if not (packages / name).is_dir())
    yield from (f"the layer has our {name}" for name in PACKAGES if (packages / name).exists())
    for name in _files(packages):
        if not _is_bytecode(name) and not is_needed(name):
            yield f"the layer has {name}, which nothing needs"
        if name.suffix == ".so" and tag_of(python) not in name.name and ".abi3." not in name.name:
            yield f"{name} is not for the template's Python {python}"
    built_for = {_architecture_of(packages / name) for name in _modules(packages)}
    if built_for != architectures:
        yield (
            f"the layer is built for {_list(built_for)}, and the template lets {_list(architectures)} be "
            "deployed: `make build` lets that be deployed which was built"
        )


def _of_bytecode(build: Path, python: str) -> Iterator[str]:
    """Bytecode must be there for all modules or for none, and be what Lambda's Python takes as it is."""
    modules = {name for name in _files(build) if name.suffix == ".py"}
    found = {name for name in _files(build) if _is_bytecode(name)}
    wanted = {name.parent / "__pycache__" / f"{name.stem}.{tag_of(python)}.pyc" for name in modules}
    yield from (f"{name} is not for the template's Python {python}" for name in sorted(found - wanted))
    if found & wanted:
        yield from (f"{name} is missing" for name in sorted(wanted - found))
    for name in sorted(found & wanted):
        if (build / name).read_bytes()[_FLAGS] != _UNCHECKED:
            yield f"{name} depends on the time stamp of its source"


def _is_bytecode(name: Path) -> bool:
    return name.suffix == ".pyc" and name.parent.name == "__pycache__"


def _files(folder: Path) -> list[Path]:
    return sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())


def _modules(packages: Path) -> list[Path]:
    return [name for name in _files(packages) if name.suffix == ".so"]


def _architecture_of(module: Path) -> str:
    with module.open("rb") as file:
        return _MACHINES.get(file.read(_MACHINE.stop)[_MACHINE], "another processor")


def _architectures(described: Template) -> set[str]:
    """Return the architectures that functions and layers of a template may be deployed for."""
    given = [
        described["Globals"]["Function"],
        *(one["Properties"] for one in described["Resources"].values()),
    ]
    named: list[Any] = []
    for properties in given:
        named += properties.get("Architectures") or properties.get("CompatibleArchitectures") or []
    found: set[str] = set()
    for name in named:
        found |= set(_values(described["Parameters"][name["Ref"]])) if isinstance(name, dict) else {name}
    return found


def _values(parameter: dict[str, Any]) -> list[str]:
    return parameter.get("AllowedValues") or [parameter["Default"]]


def _list(names: set[str]) -> str:
    return " and ".join(sorted(names)) or "nothing"


def pin(build: Path) -> None:
    """Let the template in `build` be deployed for the architecture of its layer only.

    Raises:
        CommandError: there is no template, or no layer for one architecture.
    """
    described = template.read(build / "template.yaml")
    packages = build / _LAYER / "python"
    found = {_architecture_of(packages / name) for name in _modules(packages)}
    if len(found) != 1:
        raise CommandError(f"{packages} holds modules for {_list(found)}")
    parameter = (described.get("Parameters") or {}).get("Architecture")
    if parameter is not None:
        (architecture,) = found
        parameter.update(Default=architecture, AllowedValues=[architecture])
        (build / "template.yaml").write_text(yaml.safe_dump(described, sort_keys=False))


def size(folder: Path) -> int:
    """Return the bytes in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def show(build: Path) -> None:
    """Print the size of each artifact, unpacked and zipped."""
    for artifact in sorted(folder for folder in build.iterdir() if folder.is_dir()):
        zipped = len(zip_folder(artifact))
        print(f"{size(artifact) / 1024:10,.0f} KiB, zipped {zipped / 1024:7,.0f} KiB  {artifact.name}")


def main(what: str, build: Path) -> int:
    """Pin or check the artifacts, print the problems; returns the exit code."""
    try:
        if what == "pin":
            pin(build)
            show(build)
        found = list(problems(build)) if what == "check" else []
    except CommandError as error:
        found = [str(error)]
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Looks at what was built.")
    parser.add_argument("what", choices=("pin", "check"))
    parser.add_argument("build", type=Path, help="the folder that sam build makes")
    given = parser.parse_args()
    sys.exit(main(given.what, given.build))
