"""What tests of several functions need."""

import io
import json
from collections.abc import Callable, Iterator
from logging import StreamHandler
from typing import Any

import pytest

from infra.telemetry import logger


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return a function that returns the log lines so far; a line that is not JSON is an error."""
    handler = logger.registered_handler
    assert isinstance(handler, StreamHandler)
    written = io.StringIO()
    before = handler.setStream(written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    handler.setStream(before)
