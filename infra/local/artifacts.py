"""Looks at what `sam build` made: each function is our code alone, the layer is the dependencies alone."""

import sys
from collections.abc import Iterator
from pathlib import Path

from infra.local.packaging import PACKAGES, ROOT, code_files

_NEEDED_IN_LAYER = ("fastapi", "mangum", "pydantic", "pydantic_core")
_LAMBDA_LIMIT = 250 * 2**20  # of a function and its layers together, unpacked


def problems(build: Path, root: Path = ROOT) -> Iterator[str]:
    """Say what is wrong with the artifacts in the folder `build`."""
    functions = sorted(build.glob("*Function"))
    if not functions:
        yield f"{build} holds no function"
    for function in functions:
        found = {file.relative_to(function) for file in function.rglob("*") if file.is_file()}
        yield from (f"{function.name} lacks {name}" for name in sorted(set(code_files(root)) - found))
        yield from (f"{function.name} has {name}" for name in sorted(found - set(code_files(root))))
    layer = build / "DependencyLayer"
    packages = layer / "python"
    yield from (f"the layer lacks {name}" for name in _NEEDED_IN_LAYER if not (packages / name).is_dir())
    yield from (f"the layer has our {name}" for name in PACKAGES if (packages / name).exists())
    for artifact in (layer, *functions):
        if size(artifact) > _LAMBDA_LIMIT:
            yield f"{artifact.name} is {size(artifact)} bytes, more than Lambda takes"
    yield from _foreign_binaries(layer)


def _foreign_binaries(layer: Path) -> Iterator[str]:
    """Compiled modules that Lambda's Python cannot load."""
    for module in sorted(layer.rglob("*.so")):
        if "cpython-313-x86_64-linux" not in module.name and ".abi3." not in module.name:
            yield f"{module.relative_to(layer)} is not for Lambda's Python 3.13 on x86_64"


def size(folder: Path) -> int:
    """Return the bytes in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main(build: Path) -> int:
    """Print the artifacts and their problems; returns the exit code."""
    for artifact in sorted(folder for folder in build.iterdir() if folder.is_dir()):
        print(f"{size(artifact) / 1024:10,.0f} KiB  {artifact.name}")
    found = list(problems(build))
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
