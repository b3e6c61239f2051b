"""The artifacts that are measured: the service as it is deployed, and the packages that its peers run with.

Both are built for the Python that runs the benchmarks. The peers get bytecode too, so that a comparison shows what
the code does and not what a build forgot.
"""

import hashlib
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.build import bytecode, packaging
from infra.build.packaging import LAYER_FOLDER, ROOT, Target
from infra.commands.processes import run_to_end

CACHE = ROOT / ".tools" / "bench"
_PEERS = Path(__file__).parent / "peers"
_BUILDERS = ("bytecode.py", "packaging.py", "service_data.py", "trimming.py")


@dataclass(frozen=True)
class Artifacts:
    """The folders of the built artifacts."""

    layer: Path
    function: Path
    peers: Path
    packages: Path
    """All of requirements.txt, with bytecode."""
    sources: Path
    """The same without bytecode, as `sam build` leaves it by default."""

    @property
    def service(self) -> tuple[Path, ...]:
        """What the service's functions find on their path."""
        return (self.function, self.layer / "python")

    @property
    def peer(self) -> tuple[Path, ...]:
        """What a peer finds on its path."""
        return (self.peers, self.packages)

    @property
    def peer_without_bytecode(self) -> tuple[Path, ...]:
        """The same for a peer that `sam build` has built."""
        return (self.peers, self.sources)


def build() -> Artifacts:
    """Build the artifacts; packages are built again only when the requirements or the builders change."""
    requirements = ROOT / "requirements.txt"
    builders = b"".join((ROOT / "infra" / "build" / name).read_bytes() for name in _BUILDERS)
    digest = hashlib.sha256(requirements.read_bytes() + builders + sys.version.encode()).hexdigest()[:16]
    folder = CACHE / digest
    target = Target(f"3.{sys.version_info.minor}", _architecture(), sys.executable)
    artifacts = Artifacts(
        folder / "layer",
        CACHE / "function",
        CACHE / "peers",
        folder / "packages" / "python",
        folder / "sources",
    )
    if not artifacts.sources.exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        packaging.build_layer(artifacts.layer, target)
        _install(artifacts.packages, requirements)
        shutil.copytree(artifacts.packages, folder / "copy")
        bytecode.compile_all(folder / "packages", sys.executable, LAYER_FOLDER)
        (folder / "copy").rename(artifacts.sources)
    shutil.rmtree(artifacts.function, ignore_errors=True)
    packaging.build_function(artifacts.function, target)
    shutil.rmtree(artifacts.peers, ignore_errors=True)
    shutil.copytree(_PEERS, artifacts.peers, ignore=shutil.ignore_patterns("__pycache__"))
    bytecode.compile_all(artifacts.peers, sys.executable, packaging.FUNCTION_FOLDER)
    return artifacts


def _install(folder: Path, requirements: Path) -> None:
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    install += ["--no-deps", "--require-hashes", "--only-binary=:all:"]
    run_to_end([*install, "--target", str(folder), "-r", str(requirements)])


def _architecture() -> str:
    return {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
