"""The console as Lambda answers the gateway: compressed content is base64, and arrives as it was."""

import base64
import gzip
from typing import Any

import pytest

from functions.api.console.files import console
from functions.api.handler import handler
from tests.functions.api.test_handler import Context, http_api, rest_api


@pytest.mark.parametrize("event_of", [http_api, rest_api])
@pytest.mark.parametrize("name", ["index.html", "app.js", "app.css", "icon.svg", "views/overview.js"])
@pytest.mark.parametrize("encoding", ["gzip, deflate, br", "identity"])
def test_a_file_arrives_as_it_is_stored(cloud: None, event_of: Any, name: str, encoding: str) -> None:
    known = console("open")
    path = "/ui" if name == "index.html" else f"/ui/assets/{known.version}/{name}"

    answer = handler(event_of("GET", path, "", {"accept-encoding": encoding, "host": "x"}, None), Context())

    assert answer["statusCode"] == 200
    headers = answer.get("headers") or {key: values[0] for key, values in answer["multiValueHeaders"].items()}
    body = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    if encoding.startswith("gzip") and len(known.files[name].content) >= 1024:
        assert (headers["content-encoding"], answer["isBase64Encoded"]) == ("gzip", True)
        body = gzip.decompress(body)
    assert body == known.files[name].content


@pytest.mark.parametrize("event_of", [http_api, rest_api])
def test_an_unchanged_file_has_no_body(cloud: None, event_of: Any) -> None:
    known = console("open")
    headers = {"if-none-match": f'"{known.files["app.js"].etag}"', "host": "x"}

    answer = handler(event_of("GET", f"/ui/assets/{known.version}/app.js", "", headers, None), Context())

    assert (answer["statusCode"], answer["body"]) == (304, "")


def test_the_console_with_a_slash_is_redirected_behind_the_gateway_too(cloud: None) -> None:
    answer = handler(http_api("GET", "/ui/", "", {"host": "x"}, None), Context())

    assert (answer["statusCode"], answer["headers"]["location"]) == (308, "../ui")
