"""How a function starts: its imports are not searched for garbage, and what comes after is."""

import subprocess
import sys

import pytest

HANDLERS = [
    "api.handler",
    "exporter.handler",
    "exporter.sweep",
    "ingestion.handler",
    "portfolio.handler",
    "publisher.handler",
]


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_function_collects_garbage_as_usual_once_it_is_imported(environment: None, handler: str) -> None:
    code = (
        "import gc; usual = gc.get_threshold(); "
        f"import functions.{handler}; print(gc.isenabled(), gc.get_threshold() == usual, gc.get_freeze_count() > 10_000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True True"
