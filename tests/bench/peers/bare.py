"""The least that writes an event: a handler without a framework, with boto3's client."""

import json
import os
from typing import Any

import boto3

_table = os.environ["CONTRACTS_TABLE"]
_dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Store the event of the body."""
    body = json.loads(event["body"])
    if event["rawPath"] != "/event" or "contract_number" not in body:
        return {"statusCode": 404, "body": "{}"}
    _dynamodb.update_item(
        TableName=_table,
        Key={"pk": {"S": f"CONTRACT#{body['contract_number']}"}, "sk": {"S": "CONTRACT"}},
        UpdateExpression="SET #at = :at",
        ExpressionAttributeNames={"#at": "created_at"},
        ExpressionAttributeValues={":at": {"S": body["created_at"]}},
    )
    return {"statusCode": 200, "body": json.dumps({"status": "accepted"})}
