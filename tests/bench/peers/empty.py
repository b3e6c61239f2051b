"""The lower limit of every handler: it imports json, and calls nothing."""

import json


def handler(event, context):
    """Read the body and answer."""
    return {"statusCode": 200, "body": json.dumps({"read": len(json.loads(event["body"]))})}
