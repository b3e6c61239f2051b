"""AWS that answers at once: an HTTP server on this machine, whose work is not part of what is measured.

It keeps items by their keys, evaluates no condition, and says yes to every write.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Item = Mapping[str, Any]
_KEYS = (("pk", "sk"), ("job_id",), ("id",))
SECRET = "a secret for benchmarks, not for anything else"  # noqa: S105 - it protects nothing
_STORED_SECRET = {"Name": "signing", "VersionId": "1", "SecretString": SECRET}


class Tables:
    """Items by table and key, the number of calls by operation, and the seconds that each call waits."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Item]] = {}
        self.calls: Counter[str] = Counter()
        self.latency = 0.0

    def reset(self, items: Iterable[tuple[str, Item]] = ()) -> None:
        """Forget everything, and store `items`, each with the name of its table."""
        self.items.clear()
        self.calls.clear()
        for table, item in items:
            self.put(table, item)

    def put(self, table: str, item: Item) -> None:
        """Store an item."""
        self.items.setdefault(table, {})[_key_of(item)] = item

    def get(self, table: str, key: Item) -> dict[str, Any]:
        """Return an item as GetItem does."""
        item = self.items.get(table, {}).get(_key_of(key))
        return {"Item": item} if item else {}


def _key_of(item: Item) -> str:
    names = next(names for names in _KEYS if names[0] in item)
    return json.dumps([item[name] for name in names])


def _answer(tables: Tables, operation: str, request: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911
    """Return the answer of an operation of a JSON protocol."""
    match operation:
        case "GetItem":
            return tables.get(request["TableName"], request["Key"])
        case "BatchGetItem":
            found = {
                table: [answer["Item"] for key in asked["Keys"] if (answer := tables.get(table, key))]
                for table, asked in request["RequestItems"].items()
            }
            return {"Responses": found, "UnprocessedKeys": {}}
        case "PutItem":
            tables.put(request["TableName"], request["Item"])
            return {}
        case "Query":
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        case "GetSecretValue":
            return _STORED_SECRET
        case "PutEvents":
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in request["Entries"]]}
        case _:
            return {}


def _file_answer(method: str, query: str) -> bytes:
    """Return the answer of S3."""
    if method == "POST" and query == "uploads":
        return b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
    if method == "POST":
        return b'<CompleteMultipartUploadResult><ETag>"1"</ETag></CompleteMultipartUploadResult>'
    return b""


def _handler_of(tables: Tables) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # headers and body in one packet, or the client waits for the second

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.headers.get("X-Amz-Target")
            operation = (target or self.command).partition(".")[2] or self.command
            tables.calls[operation] += 1
            if tables.latency:
                time.sleep(tables.latency)
            if target:
                request = json.loads(body)
                answer = json.dumps(_answer(tables, operation, request)).encode()
            else:
                answer = _file_answer(self.command, re.sub(r".*\?|=$", "", self.path))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0" if target else "application/xml")
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def stub_of_aws() -> Iterator[tuple[str, Tables]]:
    """Run the server during the context; yields its address and its tables."""
    tables = Tables()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(tables))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", tables
    finally:
        server.shutdown()
        server.server_close()
