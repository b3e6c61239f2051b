"""Requests whose text UTF-8 cannot encode: JSON from the gateway can escape one half of a surrogate pair."""

from base64 import b64encode
from typing import Any
from urllib.parse import quote_from_bytes


def with_valid_unicode(event: dict[str, Any]) -> dict[str, Any]:
    """Return the gateway's `event` in a form that can be served, and refused as malformed where it matters.

    In the body and the query a lone surrogate becomes bytes that are not valid UTF-8, so the application
    refuses them; everywhere else U+FFFD replaces it.
    """
    cleaned: dict[str, Any] = _replaced(event)
    if isinstance(body := event.get("body"), str) and not event.get("isBase64Encoded"):
        cleaned["body"] = b64encode(body.encode("utf-8", "surrogatepass")).decode()
        cleaned["isBase64Encoded"] = True
    if isinstance(query := event.get("rawQueryString"), str):
        cleaned["rawQueryString"] = quote_from_bytes(query.encode("utf-8", "surrogatepass"), safe="=&%+")
    return cleaned


def _replaced(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_replaced(name): _replaced(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_replaced(entry) for entry in value]
    return value
