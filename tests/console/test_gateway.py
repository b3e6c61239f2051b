"""The console behind the gateway: under the path of a stage, from the deployed function."""

import re
from urllib.parse import urljoin

import httpx2

from functions.api.console.files import console
from tests.console.conftest import Service


def test_the_page_and_all_it_names_come_compressed_from_under_the_stage_path(opened: Service) -> None:
    address = f"{opened.outputs['gateway_url']}/ui"
    headers = {"Accept-Encoding": "gzip"}
    known = console("open")
    with httpx2.Client(timeout=60, headers=headers) as client:
        page = client.get(address)
        named = re.findall(r'(?:src|href)="(ui/[^"]+)"', page.text)
        assert len(named) > 5
        for name in named:
            answer = client.get(urljoin(address, name))
            assert answer.status_code == 200, name
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            stored = known.files[name.split("/", 3)[3]].content
            assert answer.headers.get("Content-Encoding") == ("gzip" if len(stored) >= 1024 else None)
            assert answer.content == stored
            again = client.get(urljoin(address, name), headers={"If-None-Match": answer.headers["ETag"]})
            assert (again.status_code, again.content) == (304, b"")
        slash = client.get(f"{address}/", follow_redirects=False)
        assert urljoin(f"{address}/", slash.headers["Location"]) == address
