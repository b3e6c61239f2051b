"""Replaces what takes most of moto's time, and lets it answer one call to DynamoDB after another.

`tests/test_moto_speed.py` shows that its answers stay the same.
"""

import base64
import copy
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from moto.core import models, responses
from moto.core.model import StructureShape
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.dynamodb.comparisons import ConditionExpressionParser, Func, Op
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser  # type: ignore[attr-defined]
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]
from moto.dynamodb.responses import DynamoHandler
from moto.sqs import models as sqs
from moto.sqs.models import Message, SQSBackend

_MOST_CONDITIONS = 200

_parse_condition = ConditionExpressionParser.parse
_call = DynamoHandler.call_action
_receive = SQSBackend.receive_message
_serialize_structure = BaseJSONSerializer._serialize_type_structure
_transact = DynamoDBBackend.transact_write_items
_written: ContextVar[Mapping[str, Sequence[Mapping[str, Any]]] | None] = ContextVar("_written", default=None)


def on_the_wire(value: Any) -> Any:
    """Return an attribute value, as moto keeps it or as a dictionary of its type and content, as JSON has it."""
    if isinstance(value, DynamoType):
        kind, content = value.type, value.value
    else:
        ((kind, content),) = value.items()
    match kind:
        case "M":
            content = {name: on_the_wire(one) for name, one in content.items()}
        case "L":
            content = [on_the_wire(one) for one in content]
        case "B":
            content = _base64(content)
        case "BS":
            content = [_base64(one) for one in content]
    return {kind: content}


def _base64(content: str | bytes) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def _serialize(self: Any, serialized: Any, value: Any, shape: StructureShape, key: str) -> None:
    # moto looks for each of the ten types in each value, under a number of other names.
    if shape.name == "AttributeValue":
        serialized[key] = on_the_wire(value)
    else:
        _serialize_structure(self, serialized, value, shape, key)


def _transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    with _writing(self, transact_items):
        _transact(self, transact_items)


@contextmanager
def _writing(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> Iterator[None]:
    """Note the keys of the items that a transaction writes."""
    keys: dict[str, list[Mapping[str, Any]]] = {}
    for operation in (operation for item in transact_items for operation in item.values()):
        if (name := operation.get("TableName")) in backend.tables:
            keys.setdefault(name, []).append(operation.get("Key") or operation["Item"])
    token = _written.set(keys)
    try:
        yield
    finally:
        _written.reset(token)


def _copy_table(self: Table, memo: dict[int, Any]) -> Table:
    # moto copies the whole table for each item of a transaction, in case one fails: only what it writes can change.
    copied = copy.copy(self)
    memo[id(self)] = copied
    written = _written.get()
    if written is None:
        vars(copied).update(copy.deepcopy(vars(self), memo))
        return copied
    copied.items = copy.copy(self.items)
    for key in written[self.name]:
        hash_key = DynamoType(key[self.hash_key_attr])
        if hash_key not in self.items:
            continue
        if self.range_key_attr is None:
            copied.items[hash_key] = copy.deepcopy(self.items[hash_key])
            continue
        if copied.items[hash_key] is self.items[hash_key]:
            copied.items[hash_key] = copy.copy(self.items[hash_key])
        range_key = DynamoType(key[self.range_key_attr])
        if range_key in self.items[hash_key]:
            copied.items[hash_key][range_key] = copy.deepcopy(self.items[hash_key][range_key])
    return copied


_conditions: dict[tuple[str, ...], tuple[Op | Func, Sequence[str], Sequence[str]]] = {}


def _parse_once(self: ConditionExpressionParser) -> Op | Func:
    # moto parses the condition of each item of a transaction three times.
    key = (
        self.condition_expression or "",
        repr(self.expression_attribute_names),
        repr(self.expression_attribute_values),
    )
    if (known := _conditions.get(key)) is None:
        parsed = _parse_condition(self)
        if len(_conditions) >= _MOST_CONDITIONS:
            _conditions.clear()
        _conditions[key] = parsed, tuple(self.expr_attr_names_found), tuple(self.expr_attr_values_found)
        return parsed
    parsed, names, values = known
    self.expr_attr_names_found.extend(names)
    self.expr_attr_values_found.extend(values)
    return parsed


_calling = threading.Lock()


def _call_in_turn(self: DynamoHandler) -> Any:
    # A transaction that fails puts the table of its begin in place, without what other threads have written since.
    with _calling:
        return _call(self)


def _receive_at_once(
    self: SQSBackend, queue_name: str, count: int, wait_seconds_timeout: int, *rest: Any, **named: Any
) -> list[Message]:
    # Nothing sends while a test receives, and moto waits for it with a loop.
    del wait_seconds_timeout
    return _receive(self, queue_name, count, 0, *rest, **named)


def _nodes_to_be_processed(self: Any) -> Any:
    if "_nodes" not in vars(self):
        self._nodes = tuple(self._processing_map())
    return self._nodes


def emptied(table: Table) -> Table:
    """Return a table with the definition of another, and without items; their definition is one object."""
    copied = copy.copy(table)
    copied.items = defaultdict(dict)
    return copied


def install() -> None:
    """Make moto quicker, for the life of the process."""
    BaseJSONSerializer._serialize_type_structure = _serialize  # type: ignore[method-assign]
    DynamoDBBackend.transact_write_items = _transact_write_items  # type: ignore[method-assign]
    Table.__deepcopy__ = _copy_table  # type: ignore[attr-defined]
    responses.method_names_from_class = cache(method_names_from_class)  # type: ignore[attr-defined]
    sqs.camelcase_to_underscores = cache(camelcase_to_underscores)  # type: ignore[attr-defined]
    DynamoHandler.call_action = _call_in_turn  # type: ignore[method-assign]
    SQSBackend.receive_message = _receive_at_once  # type: ignore[method-assign]
    ConditionExpressionParser.parse = _parse_once  # type: ignore[method-assign]
    DepthFirstTraverser.nodes_to_be_processed = _nodes_to_be_processed
    # Who validates or executes an update copies what it has parsed.
    UpdateExpressionParser.make = cache(UpdateExpressionParser.make)
    # Addresses that only requests of the package `requests` need, each noted anew for each test.
    models.RESPONSES_METHODS.clear()
