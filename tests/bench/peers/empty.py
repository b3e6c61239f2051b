"""The lower limit of every handler: it imports json, and calls nothing."""

import json
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Read the body and answer."""
    return {"statusCode": 200, "body": json.dumps({"read": len(json.loads(event["body"]))})}
