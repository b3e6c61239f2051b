"""Where a login comes from is what the gateway says, and no header can say otherwise."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from functions.api.handler import handler
from infra.users.login_throttle import PER_SOURCE


@dataclass
class Context:
    aws_request_id: str = "0d6f1c9e-3f8a-4f0b-9d51-2c8a1f5e7b42"


def login(number: int, source: str, headers: dict[str, str]) -> int:
    body = {"username": f"nobody{number}", "password": "wrong password"}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/token",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "api"} | headers,
        "requestContext": {
            "http": {"method": "POST", "path": "/token", "protocol": "HTTP/1.1", "sourceIp": source},
            "stage": "$default",
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
    return int(handler(event, Context())["statusCode"])


@pytest.mark.slow
def test_a_header_does_not_change_the_source(cloud: None) -> None:
    statuses = [
        login(
            number,
            "192.0.2.1",
            {
                "x-forwarded-for": f"10.0.{number // 250}.{number % 250}",
                "forwarded": f"for=10.1.0.{number % 250}",
                "x-real-ip": f"10.2.0.{number % 250}",
            },
        )
        for number in range(PER_SOURCE.attempts + 2)
    ]

    assert statuses == [401] * PER_SOURCE.attempts + [429] * 2
    # Another address is another source, also when it says that it is the first.
    assert login(1000, "192.0.2.2", {"x-forwarded-for": "192.0.2.1"}) == 401
