"""The emulated AWS of a local run is killed: what was saved before is there again."""

import json
import sys
import time
from pathlib import Path

import pytest

from infra.commands import processes
from infra.local.emulator import Emulator, emulator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="as the other local runs")

TABLE = {
    "TableName": "kept",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
SAVE_SECONDS = 30


def put(cloud: Emulator, key: str) -> None:
    cloud.client("dynamodb").put_item(TableName="kept", Item={"pk": {"S": key}})


def keys(cloud: Emulator) -> list[str]:
    return [item["pk"]["S"] for item in cloud.client("dynamodb").scan(TableName="kept")["Items"]]


def save(cloud: Emulator, state: Path) -> None:
    former = state.stat().st_mtime_ns if state.exists() else 0
    cloud.save()
    deadline = time.monotonic() + SAVE_SECONDS
    while not state.exists() or state.stat().st_mtime_ns == former:
        assert time.monotonic() < deadline, "the state is not saved"
        time.sleep(0.05)


def test_what_was_saved_survives_a_kill_and_an_unchanged_state_is_not_saved_again(tmp_path: Path) -> None:
    state = tmp_path / "state" / "dynamodb.json"
    with emulator(tmp_path) as cloud:
        cloud.client("dynamodb").create_table(**TABLE)
        put(cloud, "first")
        save(cloud, state)
        written = state.stat().st_mtime_ns
        assert keys(cloud) == ["first"]
        cloud.save()  # a scan has changed nothing
        assert keys(cloud) == ["first"]
        assert state.stat().st_mtime_ns == written
        put(cloud, "second")
        save(cloud, state)
        put(cloud, "third")
        processes.kill(cloud.process)
    assert "first" in json.dumps(json.loads(state.read_text()))
    with emulator(tmp_path) as cloud:
        assert sorted(keys(cloud)) == ["first", "second"]
        processes.kill(cloud.process)
