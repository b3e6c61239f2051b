"""How long hostile text takes: no pattern may need more than its share for a text eight times as long."""

import re
import time
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from functions.api.representations import takes_gzip
from tests.bench.ratios import best_of_tries
from tests.functions.api.calls import create, event
from tests.regular_expressions import compiled

LIMIT = 24
# Pieces whose repetition makes a careless pattern try every way of cutting them up.
PIECES = ("0", "1", "a", "A", " ", ".", "-", "_", "/", ":", "a.", "0.", "a@", "a-", "é", "\t", ",", ";q=0")
STARTS = (
    *("", "bearer ", "gzip;q=0.", "gzip;q=1.", "a@a.", "a@", "2024-01-01T00:00:00.", "eo_", "0.", "-1."),
    *("/api/meters/", "a.a.", "/api/v1/auth/"),
)


def ratio(work: Callable[[str], object], make: Callable[[int], str], small: int = 4_000) -> float:
    """Return how many times longer a text eight times as long takes; a moment is added to both."""

    def seconds(text: str) -> float:
        measured = []
        for _ in range(3):
            started = time.process_time()
            work(text)
            measured.append(time.process_time() - started)
        return min(measured) + 0.0005

    return seconds(make(8 * small)) / seconds(make(small))


def share(work: Callable[[str], object], make: Callable[[int], str]) -> float:
    """Return the least `ratio` of several tries, if the first is too high."""
    return best_of_tries(LIMIT, lambda: ratio(work, make))


def hostile(start: str, piece: str) -> Callable[[int], str]:
    return lambda size: start + piece * (size // len(piece)) + "!"


def test_the_ratio_finds_a_quadratic_pattern_out() -> None:
    slow = re.compile(r"gzip(;q=(1(\.0*)?|0\.\d*[1-9]\d*))?")
    assert ratio(slow.fullmatch, hostile("gzip;q=0.", "1"), small=400) > LIMIT


def test_no_pattern_takes_more_than_its_share_of_time_for_a_long_text() -> None:
    for name, pattern in compiled().items():
        for start in STARTS:
            for piece in PIECES:
                found = share(pattern.fullmatch, hostile(start, piece))
                assert found <= LIMIT, (name, start, piece, found)


def test_accept_encoding_is_read_in_its_share_of_time() -> None:
    for piece in ("1", "0", ",", " ", "gzip;q=0.1,", ";q=0"):
        assert share(takes_gzip, hostile("gzip;q=0.", piece)) <= LIMIT


@pytest.mark.parametrize(
    "name",
    ["Accept-Encoding", "Authorization", "X-API-Key", "Content-Type", "Host", "Idempotency-Key", "Origin"],
)
def test_a_long_header_is_answered_in_its_share_of_time(api: TestClient, name: str) -> None:
    create(api)
    for start, piece in (("gzip;q=0.", "1"), ("bearer ", " "), ("a/b;", "c=d;"), ("[", ":"), ("", ".")):

        def send(text: str) -> None:
            headers = {"Content-Type": "application/json"} | {name: text}
            answer = api.post("/event?dry_run=true", json=event(), headers=headers)
            assert answer.status_code < 500

        assert share(send, hostile(start, piece)) <= LIMIT, (name, piece)
