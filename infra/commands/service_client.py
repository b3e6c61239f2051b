"""The HTTP API of a running service, as commands call it."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from infra.commands.command_error import CommandError

_ANSWER_SECONDS = 60
_ATTEMPTS = 10
_LONGEST_PAUSE_SECONDS = 10.0
_RETRYABLE = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)

Payload = dict[str, Any]


@dataclass
class ServiceClient:
    """A caller of the API at `api`, with the header that proves who it is.

    Requests are sent again until they are answered: each must be one that may be sent twice.
    """

    api: str
    credentials: Mapping[str, str]
    _has_answered: bool = False

    @classmethod
    def of(cls, api: str, environment: Mapping[str, str]) -> "ServiceClient":
        """Return a caller with the access token in TOKEN or the key in API_KEY, if there is one."""
        credentials = {}
        if token := environment.get("TOKEN"):
            credentials["Authorization"] = f"Bearer {token}"
        elif key := environment.get("API_KEY"):
            credentials["X-API-Key"] = key
        return cls(api.rstrip("/"), credentials)

    def call(
        self, path: str, body: Payload | None = None, headers: Mapping[str, str] | None = None
    ) -> Payload:
        """Get `path`, or post `body` to it, and return the answer.

        Raises:
            CommandError: the service refuses the request or does not answer.
        """
        with self._answer(path, body, headers or {}) as answer:
            content: Payload = json.load(answer)
            return content

    @contextmanager
    def download(self, path: str) -> Iterator[http.client.HTTPResponse]:
        """Open a file of the service, wherever it redirects to; the errors of `call`."""
        with self._answer(path, None, {}) as answer:
            try:
                yield answer
            except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
                raise CommandError(
                    f"the download stopped: {error or type(error).__name__}: try again"
                ) from error

    def _answer(
        self, path: str, body: Payload | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310 - the caller's own service
                    self._request(path, body, headers), timeout=_ANSWER_SECONDS
                )
            except urllib.error.HTTPError as error:
                self._has_answered = True
                if error.code not in _RETRYABLE or attempt == _ATTEMPTS:
                    raise CommandError(_message_of(error)) from error
                time.sleep(_pause(error.headers.get("Retry-After"), attempt))
            except (OSError, ValueError, http.client.HTTPException) as error:
                # What has never answered is not a service in difficulties but a wrong address.
                if not self._has_answered or attempt == _ATTEMPTS:
                    raise CommandError(f"the service does not answer at {self.api}: {error}") from error
                time.sleep(_pause(None, attempt))
            else:
                self._has_answered = True
                return answer
        raise AssertionError("the last attempt returns or raises")

    def _request(self, path: str, body: Payload | None, headers: Mapping[str, str]) -> urllib.request.Request:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - as above
            self.api + path, data, {"Content-Type": "application/json", **headers}
        )
        for name, value in self.credentials.items():
            request.add_unredirected_header(name, value)  # a file may be on another host
        return request


def _pause(retry_after: str | None, attempt: int) -> float:
    asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.25 * 2**attempt
    return min(asked, _LONGEST_PAUSE_SECONDS)


def _message_of(error: urllib.error.HTTPError) -> str:
    try:
        message = str(json.loads(error.read())["message"])
    except (ValueError, LookupError, TypeError):
        message = f"the service answers {error.code} {error.reason}"
    if error.code == HTTPStatus.UNAUTHORIZED:
        return f"{message} Set TOKEN= to an access token, or API_KEY= to an API key."
    return message
