"""Whether a caller takes compressed answers."""

import re

# A weight has at most three decimals (RFC 9110, section 12.4.2).
_GZIP_CHOICE = re.compile(r"gzip(?:;q=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether the header `Accept-Encoding` allows gzip."""
    return any(
        (match := _GZIP_CHOICE.fullmatch(choice.replace(" ", "").lower())) and float(match["weight"] or 1) > 0
        for choice in accept_encoding.split(",")
    )
