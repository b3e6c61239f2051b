"""The logs of a run, which stay when the next one starts."""

from pathlib import Path

_KEPT = 3


def rotate(log: Path) -> None:
    """Keep the logs of the last runs beside `log`: `api.log.1` is that of the run before, then `api.log.2`."""
    for number in range(_KEPT, 0, -1):
        former = log if number == 1 else _numbered(log, number - 1)
        if former.exists():
            former.replace(_numbered(log, number))


def _numbered(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
