"""The app that tutorials of FastAPI on Lambda arrive at: eight routes, a boto3 client, Mangum.

It keeps an event with one conditional write; it has no users, no trail, no log line and no metric.
"""

import os
from datetime import date, datetime
from enum import Enum
from typing import Any

import boto3
from fastapi import FastAPI, HTTPException
from mangum import Mangum
from pydantic import BaseModel, Field

table = os.environ["CONTRACTS_TABLE"]
dynamodb = boto3.client("dynamodb")
app = FastAPI(title="Contracts")


class EventType(str, Enum):  # noqa: UP042 - as tutorials have it
    """What happens to which component."""

    SUPPLY_ENERGY_START = "supply_energy_start"
    SUPPLY_ENERGY_END = "supply_energy_end"


class Event(BaseModel):
    """An event as it is sent."""

    type: EventType
    contract_number: str = Field(min_length=1, max_length=64)
    date: date
    created_at: datetime


class Contract(BaseModel):
    """A contract as it is sent and shown."""

    contract_number: str = Field(min_length=1, max_length=64)
    components: list[str]


class Verdict(BaseModel):
    """The answer to an event."""

    status: str
    event: Event


def key(contract_number: str) -> dict[str, Any]:
    """Return the key of a contract's item."""
    return {"pk": {"S": f"CONTRACT#{contract_number}"}, "sk": {"S": "CONTRACT"}}


def write(event: Event) -> None:
    """Store the date that an event sets, unless a newer event has set it."""
    dynamodb.update_item(
        TableName=table,
        Key=key(event.contract_number),
        UpdateExpression="SET #date = :date, #at = :at",
        ConditionExpression="attribute_exists(pk) AND (attribute_not_exists(#at) OR #at < :at)",
        ExpressionAttributeNames={"#date": f"{event.type.value}_date", "#at": f"{event.type.value}_at"},
        ExpressionAttributeValues={
            ":date": {"S": event.date.isoformat()},
            ":at": {"S": event.created_at.isoformat()},
        },
    )


@app.post("/event")
def post_event(event: Event) -> Verdict:
    """Apply an event, on a thread of FastAPI's."""
    write(event)
    return Verdict(status="accepted", event=event)


@app.post("/async/event")
async def post_event_async(event: Event) -> Verdict:
    """Apply an event in the event loop."""
    write(event)
    return Verdict(status="accepted", event=event)


@app.post("/contract", status_code=201)
def post_contract(contract: Contract) -> Contract:
    """Create a contract."""
    dynamodb.put_item(
        TableName=table,
        Item=key(contract.contract_number) | {"components": {"SS": contract.components}},
        ConditionExpression="attribute_not_exists(pk)",
    )
    return contract


@app.get("/contract/{contract_number}")
def get_contract(contract_number: str) -> Contract:
    """Show a contract."""
    answer = dynamodb.get_item(TableName=table, Key=key(contract_number))
    if "Item" not in answer:
        raise HTTPException(status_code=404, detail="not found")
    return Contract(contract_number=contract_number, components=answer["Item"]["components"]["SS"])


@app.delete("/contract/{contract_number}", status_code=204)
def delete_contract(contract_number: str) -> None:
    """Delete a contract."""
    dynamodb.delete_item(TableName=table, Key=key(contract_number))


@app.get("/contract")
def list_contracts() -> list[Contract]:
    """List contracts."""
    items = dynamodb.scan(TableName=table)["Items"]
    return [Contract(contract_number=item["pk"]["S"], components=item["components"]["SS"]) for item in items]


@app.get("/contract/{contract_number}/timeline")
def get_timeline(contract_number: str) -> dict[str, str]:
    """Show the dates of a contract."""
    item = dynamodb.get_item(TableName=table, Key=key(contract_number)).get("Item", {})
    return {name: value["S"] for name, value in item.items() if name.endswith("_date")}


@app.get("/health")
def health() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


handler = Mangum(app, lifespan="off")
