"""Watches the deployed packages and the template for changes."""

from collections.abc import Iterator
from enum import Flag, auto
from pathlib import Path

from watchfiles import watch

from infra.build.packaging import PACKAGES, is_deployed

_POLL_MS = 250


class Changed(Flag):
    """What has changed since the last check."""

    NOTHING = 0
    CODE = auto()
    TEMPLATE = auto()


def changes(root: Path) -> Iterator[Changed]:
    """Yield what has changed below `root`, about four times a second, mostly NOTHING.

    The template is compared and not watched: a watch on one file ends when an editor replaces the file.
    """
    template = root / "template.yaml"
    seen = _content(template)
    folders = [root / package for package in PACKAGES]
    for files in watch(*folders, rust_timeout=_POLL_MS, yield_on_timeout=True, debounce=400):
        changed = Changed.NOTHING
        if any(is_deployed(Path(file).relative_to(root)) for _, file in files):
            changed |= Changed.CODE
        if (content := _content(template)) != seen:
            seen = content
            changed |= Changed.TEMPLATE
        yield changed


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # just being replaced
        return b""
