"""Numbers of readings as decimal text: whatever a double prints is taken, and stored without an exponent."""

import re
from decimal import Decimal, InvalidOperation

MAX_DIGITS = 30
"""Significant digits of a number."""
DECIMAL_PATTERN = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
"""The form of JSON's numbers."""
DECIMAL_RULE = (
    f"must be a decimal number such as 0.25 or 2.5e-1: at most {MAX_DIGITS} significant digits,"
    " 0 or from 1e-30 to below 1e9 in size"
)

_DECIMAL = re.compile(DECIMAL_PATTERN)
# Almost all numbers are like this, and are stored as they came: at most 29 digits, the smallest 1e-20.
SHORT_DECIMAL = r"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,20})?"
_SHORT = re.compile(SHORT_DECIMAL)
_POWERS_OF_TEN = range(-30, 9)
# The longest text of a double, -1.8e308 written out with six decimals, has 317 characters.
_MAX_LENGTH = 400


def read_decimal(text: str) -> str | None:
    """Return `text` as a decimal number without exponent, or None where it breaks `DECIMAL_RULE`."""
    if _SHORT.fullmatch(text) is not None:
        return text
    if len(text) > _MAX_LENGTH or _DECIMAL.fullmatch(text) is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond all bounds
        return None
    return _written_out(number) if number else "0"


def _written_out(number: Decimal) -> str | None:
    if number.adjusted() not in _POWERS_OF_TEN:
        return None
    text = f"{number:f}"
    if _digits(text) > MAX_DIGITS and "." in text:
        text = text.rstrip("0").rstrip(".")  # digits that say nothing, such as those of 1.000
    return text if _digits(text) <= MAX_DIGITS else None


def _digits(text: str) -> int:
    """Count the digits of a number other than 0 from its first that is not 0."""
    return len(text.lstrip("-0.").replace(".", ""))
