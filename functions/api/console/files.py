"""The console's files as they are served: with a hash over all of them."""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_VERSION_IN_PAGE = b"VERSION"
_MODE_IN_PAGE = b"AUTH_MODE"
_VERSION_LENGTH = 16
INDEX = "index.html"


class File(NamedTuple):
    """One file."""

    content: bytes
    media_type: str
    etag: str


class Console(NamedTuple):
    """All files, by their name below the folder, and the hash that their addresses contain."""

    version: str
    files: dict[str, File]


@cache
def console(auth_mode: str) -> Console:
    """Read the files, once in a process; the page says whether the service asks for credentials.

    All have one version, since modules import each other by relative addresses: whatever has changed, a page never
    loads modules of two versions from a cache.
    """
    contents = dict(sorted(_contents(files(__package__) / "static")))
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    version = digest.hexdigest()[:_VERSION_LENGTH]
    page = contents[INDEX].replace(_VERSION_IN_PAGE, version.encode())
    contents[INDEX] = page.replace(_MODE_IN_PAGE, auth_mode.encode())
    return Console(version, {name: _file(name, content) for name, content in contents.items()})


def _contents(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _contents(entry, f"{prefix}{entry.name}/")
        elif _suffix(entry.name) in _TYPES:
            yield prefix + entry.name, entry.read_bytes()


def _file(name: str, content: bytes) -> File:
    etag = hashlib.sha256(content).hexdigest()[:_VERSION_LENGTH]
    return File(content, _TYPES[_suffix(name)], etag)


def _suffix(name: str) -> str:
    return f".{name.rpartition('.')[2]}"
