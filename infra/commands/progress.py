"""The progress bar of a command that takes a while."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)


def progress_bar(console: Console, *more: ProgressColumn) -> Progress:
    """Return a bar for tasks; it shows their description, share, time, and `more`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        *more,
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)
