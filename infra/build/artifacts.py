"""Checks the result of `sam build`: a function contains our code only, the layer the dependencies only.

`pin` writes into the built template which architecture the layer was built for, so that it cannot be deployed for
another: CloudFormation refuses a parameter that is not an allowed value before it changes any resource.
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
from infra.commands.command_error import CommandError

_LAYER = "DependencyLayer"
_NEEDED_IN_LAYER = ("botocore", "fastapi", "mangum", "pydantic", "pydantic_core")
_LAMBDA_LIMIT = 250 * 2**20  # bytes of a function and its layers together, unpacked

# A compiled module is an ELF file; two bytes of its header identify the processor.
_MACHINES = {b"\x3e\x00": "x86_64", b"\xb7\x00": "arm64"}
_MACHINE = slice(18, 20)

# The second word of bytecode that Python loads without checking the source or its time stamp.
_UNCHECKED = b"\x01\x00\x00\x00"
_FLAGS = slice(4, 8)


def problems(build: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield what is wrong with the artifacts in the folder `build`.

    Raises:
        CommandError: the template is missing or cannot be read.
    """
    built = template.read(build / "template.yaml")
    python = built["Globals"]["Function"]["Runtime"].removeprefix("python")
    functions, layer = sorted(build.glob("*Function")), build / _LAYER
    if not functions:
        yield f"{build} contains no function"
    for function in functions:
        yield from _function_problems(function, root)
        if size(function) + size(layer) > _LAMBDA_LIMIT:
            yield f"{function.name} and the layer are {size(function) + size(layer)} bytes, more than Lambda allows"
    yield from _layer_problems(layer, python, _architectures(built))
    yield from _bytecode_problems(build, python)


def _function_problems(function: Path, root: Path) -> Iterator[str]:
    found, wanted = {name for name in _files(function) if not _is_bytecode(name)}, set(code_files(root))
    yield from (f"{function.name} lacks {name}" for name in sorted(wanted - found))
    yield from (f"{function.name} must not contain {name}" for name in sorted(found - wanted))


def _layer_problems(layer: Path, python: str, architectures: set[str]) -> Iterator[str]:
    packages = layer / "python"
    yield from (f"the layer lacks {name}" for name in _NEEDED_IN_LAYER if not (packages / name).is_dir())
    yield from (f"the layer contains our package {name}" for name in PACKAGES if (packages / name).exists())
    for name in _files(packages):
        if not _is_bytecode(name) and not is_needed(name):
            yield f"the layer contains {name}, which is not needed"
        if name.suffix == ".so" and tag_of(python) not in name.name and ".abi3." not in name.name:
            yield f"{name} is not for the template's Python {python}"
    built_for = {_architecture_of(packages / name) for name in _modules(packages)}
    if built_for != architectures:
        yield (
            f"the layer is built for {_list(built_for)}, but the template allows {_list(architectures)}: "
            "`make build` restricts it to what was built"
        )


def _bytecode_problems(build: Path, python: str) -> Iterator[str]:
    """Check that all modules have bytecode or none has, and that Lambda's Python loads it without the source."""
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


def _architectures(built: Template) -> set[str]:
    """Return the architectures that functions and layers of a template may be deployed for."""
    declaring = [
        built["Globals"]["Function"],
        *(resource["Properties"] for resource in built["Resources"].values()),
    ]
    declared: list[Any] = []
    for properties in declaring:
        declared += properties.get("Architectures") or properties.get("CompatibleArchitectures") or []
    found: set[str] = set()
    for name in declared:
        found |= set(_allowed_values(built["Parameters"][name["Ref"]])) if isinstance(name, dict) else {name}
    return found


def _allowed_values(parameter: dict[str, Any]) -> list[str]:
    return parameter.get("AllowedValues") or [parameter["Default"]]


def _list(names: set[str]) -> str:
    return " and ".join(sorted(names)) or "no processor"


def pin(build: Path) -> None:
    """Allow the template in `build` to be deployed for the architecture of its layer only.

    Raises:
        CommandError: there is no template, or the layer is not for exactly one architecture.
    """
    built = template.read(build / "template.yaml")
    packages = build / _LAYER / "python"
    found = {_architecture_of(packages / name) for name in _modules(packages)}
    if len(found) != 1:
        raise CommandError(f"{packages} contains modules for {_list(found)}")
    parameter = (built.get("Parameters") or {}).get("Architecture")
    if parameter is not None:
        (architecture,) = found
        parameter.update(Default=architecture, AllowedValues=[architecture])
        (build / "template.yaml").write_text(yaml.safe_dump(built, sort_keys=False))


def size(folder: Path) -> int:
    """Return the size of all files in a folder, in bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def print_sizes(build: Path) -> None:
    """Print the size of each artifact, unpacked and zipped."""
    for artifact in sorted(folder for folder in build.iterdir() if folder.is_dir()):
        zipped = len(zip_folder(artifact))
        print(f"{size(artifact) / 1024:10,.0f} KiB, zipped {zipped / 1024:7,.0f} KiB  {artifact.name}")


def main(action: str, build: Path) -> int:
    """Pin or check the artifacts, print the problems, and return the exit code."""
    try:
        if action == "pin":
            pin(build)
            print_sizes(build)
        found = list(problems(build)) if action == "check" else []
    except CommandError as error:
        found = [str(error)]
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Checks the result of a build.")
    parser.add_argument("action", choices=("pin", "check"))
    parser.add_argument("build", type=Path, help="the folder that sam build creates")
    arguments = parser.parse_args()
    sys.exit(main(arguments.action, arguments.build))
