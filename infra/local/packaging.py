"""What is deployed: the code of the functions, and the layer of their dependencies.

Only the standard library is imported here: `sam build` runs this file with whatever Python it finds.
"""

import hashlib
import io
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from infra.local.processes import finish

ROOT = Path(__file__).resolve().parents[2]

PACKAGES = ("domain", "infra", "functions")
_NOT_DEPLOYED = ("infra/local",)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # one timestamp for all, so that equal content makes an equal archive


def code_files(root: Path = ROOT) -> Iterator[Path]:
    """Yield what a function is made of, as paths relative to `root`, in order."""
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*")):
            relative = file.relative_to(root)
            if file.is_file() and is_deployed(relative):
                yield relative


def is_deployed(relative: Path) -> bool:
    """Tell whether the file at `relative` below the root goes into a function."""
    generated = any(part == "__pycache__" or part.startswith(".") for part in relative.parts)
    return not generated and not any(relative.is_relative_to(folder) for folder in _NOT_DEPLOYED)


def copy_code(destination: Path, root: Path = ROOT) -> None:
    """Copy the code of the functions below `destination`."""
    for relative in code_files(root):
        target = destination / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / relative, target)


def zip_code(root: Path = ROOT) -> bytes:
    """Archive the code of the functions."""
    return _archive((relative, root / relative) for relative in code_files(root))


def zip_layer(cache: Path, root: Path = ROOT) -> Path:
    """Archive the packages of requirements.txt, built for the interpreter that runs this.

    The emulated Lambda runs functions with that interpreter, whatever their Runtime says. The archive
    is kept in `cache`, and its name stays the same, until the requirements or the interpreter change.
    """
    requirements = root / "requirements.txt"
    interpreter = f"{sys.implementation.cache_tag} {platform.platform()} {platform.machine()}"
    digest = hashlib.sha256(requirements.read_bytes() + interpreter.encode()).hexdigest()[:16]
    kept = cache / f"layer-{digest}.zip"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
            fresh = Path(folder, "layer.zip")
            fresh.write_bytes(_build_layer(requirements, Path(folder)))
            for stale in cache.glob("*.zip"):
                stale.unlink()
            fresh.replace(kept)
    return kept


def _build_layer(requirements: Path, folder: Path) -> bytes:
    packages = folder / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    install += ["--no-deps", "--require-hashes", "--target", str(packages), "-r", str(requirements)]
    finish(install)
    # Each cold start unpacks the layer anew, so bytecode must not depend on the files' timestamps.
    compile_all = [sys.executable, "-m", "compileall", "-q", "-j", "0"]
    compile_all += ["--invalidation-mode", "unchecked-hash", str(packages)]
    finish(compile_all)
    files = (file for file in sorted(packages.rglob("*")) if file.is_file())
    return _archive(((file.relative_to(folder), file) for file in files), level=1)


def _archive(files: Iterator[tuple[Path, Path]], level: int = 6) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, file in files:
            entry = zipfile.ZipInfo(name.as_posix(), _ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, level)
    return buffer.getvalue()


if __name__ == "__main__":
    copy_code(Path(os.environ["ARTIFACTS_DIR"]))
