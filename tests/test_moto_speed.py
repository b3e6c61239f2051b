"""moto answers as it does without what makes it quicker here."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from threading import Event, current_thread, main_thread
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from infra import aws
from tests import moto_speed
from tests.conftest import REGION

pytestmark = pytest.mark.usefixtures("cloud")

ATTRIBUTES: dict[str, Any] = {
    "S": {"S": "text"},
    "empty": {"S": ""},
    "N": {"N": "-1.50"},
    "B": {"B": b"\x00\xff"},
    "BOOL": {"BOOL": False},
    "NULL": {"NULL": True},
    "SS": {"SS": ["a", "b"]},
    "NS": {"NS": ["1", "2"]},
    "BS": {"BS": [b"\x01", b"\x02"]},
    "L": {"L": [{"S": "x"}, {"B": b"y"}, {"L": []}, {"M": {"deep": {"N": "1"}}}]},
    "M": {"M": {"list": {"L": [{"BOOL": True}]}, "blob": {"B": b"z"}, "none": {"M": {}}}},
}


def key(sort: str) -> dict[str, Any]:
    return {"pk": {"S": "CONTRACT#1"}, "sk": {"S": sort}}


def put(sort: str, **attributes: Any) -> None:
    aws.dynamodb().put_item(TableName="contracts", Item=key(sort) | attributes)


def stored() -> dict[str, Any]:
    items = aws.dynamodb().query(
        TableName="contracts",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "CONTRACT#1"}},
    )["Items"]
    return {str(item["sk"]["S"]): item for item in items}


@pytest.mark.parametrize("quick", [True, False])
def test_an_item_comes_back_with_each_type_of_attribute(monkeypatch: pytest.MonkeyPatch, quick: bool) -> None:
    if not quick:
        monkeypatch.setattr(BaseJSONSerializer, "_serialize_type_structure", moto_speed._serialize_structure)
    put("a", **ATTRIBUTES)
    assert aws.dynamodb().get_item(TableName="contracts", Key=key("a"))["Item"] == key("a") | ATTRIBUTES
    assert stored()["a"] == key("a") | ATTRIBUTES


def test_binary_content_is_base64_on_the_wire() -> None:
    assert moto_speed.on_the_wire({"B": b"\x00\xff"}) == {"B": base64.b64encode(b"\x00\xff").decode()}


@pytest.mark.parametrize("quick", [True, False])
def test_a_transaction_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch, quick: bool) -> None:
    if not quick:
        monkeypatch.delattr(Table, "__deepcopy__")
    put("changed", count={"N": "1"})
    put("replaced", count={"N": "1"})
    put("deleted", count={"N": "1"})
    before = stored()
    client = aws.dynamodb()
    add = {
        "Key": key("changed"),
        "UpdateExpression": "SET #n = :n",
        "ExpressionAttributeNames": {"#n": "count"},
        "ExpressionAttributeValues": {":n": {"N": "2"}},
    }
    condition = {"Key": key("absent"), "ConditionExpression": "attribute_exists(pk)"}
    writes: list[Any] = [
        {"Update": {"TableName": "contracts", **add}},
        {"Put": {"TableName": "contracts", "Item": key("replaced") | {"count": {"N": "2"}}}},
        {"Put": {"TableName": "contracts", "Item": key("added")}},
        {"Put": {"TableName": "contracts", "Item": {"pk": {"S": "CONTRACT#2"}, "sk": {"S": "new"}}}},
        {"Delete": {"TableName": "contracts", "Key": key("deleted")}},
        {"ConditionCheck": {"TableName": "contracts", **condition}},
    ]
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=writes)
    assert stored() == before
    client.transact_write_items(TransactItems=writes[:-1])
    assert stored().keys() == {"changed", "replaced", "added"}
    assert {item.get("count", {}).get("N") for item in stored().values()} == {"2", None}


def test_a_transaction_copies_only_the_items_that_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        put(f"row {number:02}")
    copied: list[str] = []
    copy_item = Item.__deepcopy__

    def note(self: Item, memo: dict[int, Any]) -> Item:
        copied.append(self.attrs["sk"].value)
        return copy_item(self, memo)

    monkeypatch.setattr(Item, "__deepcopy__", note)
    aws.dynamodb().transact_write_items(
        TransactItems=[{"Put": {"TableName": "contracts", "Item": key("row 07")}}]
    )
    assert set(copied) == {"row 07"}


def test_a_copy_of_a_table_outside_a_transaction_is_a_whole_one() -> None:
    put("a")
    table = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables["contracts"]
    copied = deepcopy(table)
    put("b")
    assert (len(copied), len(table)) == (1, 2)
    assert copied.schema is not table.schema


def test_an_emptied_table_shares_no_items() -> None:
    put("a")
    table = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables["contracts"]
    empty = moto_speed.emptied(table)
    assert (len(empty), len(table), empty.name) == (0, 1, "contracts")


@pytest.mark.parametrize("in_turn", [True, False])
def test_a_transaction_that_fails_undoes_what_others_write_meanwhile_unless_they_wait(
    monkeypatch: pytest.MonkeyPatch, in_turn: bool
) -> None:
    if not in_turn:
        monkeypatch.setattr(DynamoHandler, "call_action", moto_speed._call)
    put("taken")
    client, begun, get_item = aws.dynamodb(), Event(), DynamoDBBackend.get_item

    def slowly(*arguments: Any) -> Any:
        if current_thread() is not main_thread():
            begun.set()
            time.sleep(0.2)
        return get_item(*arguments)

    def fail() -> None:
        new = {"Item": key("taken"), "ConditionExpression": "attribute_not_exists(pk)"}
        writes: list[Any] = [{"Put": {"TableName": "contracts", **new}}]
        with pytest.raises(client.exceptions.TransactionCanceledException):
            client.transact_write_items(TransactItems=writes)

    monkeypatch.setattr(DynamoDBBackend, "get_item", slowly)
    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(fail)
        assert begun.wait(10)
        put("meanwhile")
        failing.result()
    assert ("meanwhile" in stored()) is in_turn
