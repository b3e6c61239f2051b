"""The position in a list of readings or summaries, as text for a cursor."""

import json

from domain.instants import from_micros, to_micros
from domain.meters.summaries import Begun, Position
from infra.meters.reading_facts import sums_facts, sums_from


def format_position(position: Position) -> str:
    """Return a position as text."""
    facts: list[object] = [to_micros(position.start)]
    if position.begun:
        facts += [to_micros(position.begun.at), *sums_facts(position.begun.sums)]
    return json.dumps(facts, separators=(",", ":"))


def parse_position(text: str) -> Position:
    """Return the position that `format_position` formatted."""
    start, *begun = json.loads(text)
    if not begun:
        return Position(from_micros(start))
    at, *facts = begun
    return Position(from_micros(start), Begun(from_micros(at), sums_from(*facts)))
