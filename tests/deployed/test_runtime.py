"""Each function as it is deployed, under Lambda's own runtime, on the tables and queues of an emulated AWS."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener
from uuid import uuid4

import pytest

from domain import exports
from domain.exports import LOST_AFTER, UNSENT_AFTER, Status
from domain.meters.readings import HEADER, Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from functions.api.exports.exports import MAX_INLINE_BYTES
from infra.exports.job_store import ExportStore
from infra.local.cloud import Emulator, emulator
from infra.local.deploy import STACK, deploy, environment_of
from infra.meters.meter_store import MeterStore
from tests.deployed.conftest import FUNCTIONS
from tests.deployed.rie import Environment, Function, running, runtime_client

pytestmark = [
    pytest.mark.xdist_group("deployed"),
    pytest.mark.skipif(sys.platform != "linux", reason="AWS's runtime emulator is for Linux"),
]

EVENTS = Path(__file__).parents[1] / "events"
PARAMETERS = {"Stage": "local", "AuthMode": "open", "Registration": "open"}
LAMBDA_LIMIT = 6 * 1024 * 1024
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
NOT_KNOWN = "2f1f2a9e-0000-4000-8000-000000000000"

PROBE = """
import sys
from importlib.util import find_spec

def handler(event, context):
    return "x" * event if isinstance(event, int) else [name for name in event if find_spec(name)]
"""


def recorded(name: str, **changes: str) -> Any:
    """Read a recorded payload, with some of its text changed."""
    text = (EVENTS / f"{name}.json").read_text()
    for before, after in changes.items():
        text = text.replace(before, after)
    return json.loads(text)


@dataclass(frozen=True)
class Deployed:
    """The stack, whose functions run here and not in the emulated AWS."""

    cloud: Emulator
    outputs: dict[str, str]
    start: Callable[[str], Environment]

    def invoke(self, function: str, event: object) -> Any:
        """Invoke the function that template.yaml calls so."""
        return self.start(function).invoke(event)

    def call(self, method: str, target: str, body: object = None, **headers: str) -> dict[str, Any]:
        """Send the API what the gateway sends it for a request, and return its answer."""
        path, _, query = target.partition("?")
        text = None if body is None else json.dumps(body)
        event = recorded("http_api_event") | {"rawPath": path, "rawQueryString": query, "body": text}
        event["requestContext"]["http"] |= {"method": method, "path": path}
        event["headers"] |= {"content-length": str(len(text or "")), **headers}
        answer: dict[str, Any] = self.invoke("ApiFunction", event)
        return answer

    def read(self, target: str, **headers: str) -> Any:
        """Return what the API answers to GET."""
        answer = self.call("GET", target, **headers)
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])

    def jobs(self) -> ExportStore:
        table = self.outputs["export_jobs_table_name"]
        return ExportStore(self.cloud.client("dynamodb"), table, fresh_id=lambda: uuid4().hex)

    def messages(self, url: str) -> list[Any]:
        """Take what is in a queue."""
        answer = self.cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture(scope="module")
def deployed(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("deployed")
    client = runtime_client(folder / "client")
    started: dict[str, Environment] = {}
    with ExitStack() as stack:
        cloud = stack.enter_context(emulator(folder / "cloud"))
        outputs = deploy(cloud, folder / "layers", PARAMETERS)
        _stop_triggers(cloud)
        meters = MeterStore(cloud.client("dynamodb"), outputs["readings_table_name"])
        meters.register(Meter("123", MeterKind.SIMULATED, LONG_AGO))

        def start(name: str) -> Environment:
            if name not in started:
                function = _as_configured(cloud, name, artifacts)
                log = folder / f"{name}.log"
                started[name] = stack.enter_context(running(function, client, log))
            return started[name]

        yield Deployed(cloud, outputs, start)


def _stop_triggers(cloud: Emulator) -> None:
    """Let nothing be done by the functions inside the emulated AWS, which are not what was built."""
    functions, events = cloud.client("lambda"), cloud.client("events")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
    for rule in events.list_rules()["Rules"]:
        events.disable_rule(Name=rule["Name"])


def _as_configured(cloud: Emulator, name: str, artifacts: Path) -> Function:
    stacks, properties = cloud.client("cloudformation"), FUNCTIONS[name]
    resource = stacks.describe_stack_resource(StackName=STACK, LogicalResourceId=name)
    physical = resource["StackResourceDetail"]["PhysicalResourceId"]
    return Function(
        code=artifacts / name,
        layer=artifacts / "DependencyLayer",
        handler=properties["Handler"],
        timeout=properties["Timeout"],
        memory=properties["MemorySize"],
        environment={**environment_of(cloud, physical), **cloud.variables},
    )


@pytest.fixture
def number(deployed: Deployed) -> str:
    """The number of a new contract."""
    number = uuid4().hex
    contract = {"contract_number": number, "components": ["energy_supply"]}
    assert deployed.call("POST", "/contract", contract)["statusCode"] == 201
    return number


@pytest.fixture
def probe(artifacts: Path, tmp_path: Path) -> Iterator[Environment]:
    """A function that answers as many characters as it is told, or which modules it can import."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "probe.py").write_text(PROBE)
    function = Function(tmp_path / "code", artifacts / "DependencyLayer", "probe.handler", 5, 256, {})
    with running(function, runtime_client(tmp_path / "client"), tmp_path / "log") as environment:
        yield environment


def test_a_function_finds_the_layer_and_nothing_of_the_tests(probe: Environment) -> None:
    assert probe.invoke(["fastapi", "boto3", "pytest", "yaml", "moto", "domain"]) == ["fastapi", "boto3"]


def test_the_runtime_refuses_an_answer_beyond_the_limit_of_lambda(probe: Environment) -> None:
    assert len(probe.invoke(LAMBDA_LIMIT - 2)) == LAMBDA_LIMIT - 2
    assert b"Function.ResponseSizeTooLarge" in probe.invoke_raw(str(LAMBDA_LIMIT + 1024).encode())


def test_every_function_of_the_template_is_tried_here() -> None:
    assert set(FUNCTIONS) == {
        "ApiFunction",
        "ExportFunction",
        "ExportSweepFunction",
        "IngestionFunction",
        "PortfolioFunction",
        "PublisherFunction",
    }


def timeline(deployed: Deployed, number: str) -> Any:
    return deployed.read(f"/contract/{number}/contract_timeline")["components"]


def test_the_api_answers_what_the_gateway_sends(deployed: Deployed, number: str) -> None:
    event = recorded("http_api_event") | {"rawQueryString": ""}
    event["body"] = event["body"].replace("1001", number)
    event["headers"].pop("content-length")
    answer = deployed.invoke("ApiFunction", event)
    assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (200, "accepted")
    assert timeline(deployed, number) == {"energy_supply": {"start": "2024-01-01", "end": None}}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/event", {"type": "supply_energy_start"}, 422),
        ("GET", "/contract/9999", None, 404),
        ("POST", "/event", {"type": "x" * 2**20}, 413),
    ],
)
def test_a_bad_request_gets_the_one_shape_of_errors(
    deployed: Deployed, method: str, path: str, body: object, status: int
) -> None:
    answer = deployed.call(method, path, body)
    assert answer["statusCode"] == status
    error = json.loads(answer["body"])
    assert set(error) == {"status", "code", "message", "details", "request_id"}
    assert error["request_id"] == answer["headers"]["x-request-id"]


def test_what_is_no_request_fails_and_the_next_one_is_answered(deployed: Deployed) -> None:
    assert set(deployed.invoke("ApiFunction", {"Records": []})) > {"errorMessage", "errorType"}
    assert deployed.read("/health/ready") == {"status": "ready"}


def test_lists_go_on_with_a_cursor_that_the_secret_seals(deployed: Deployed, number: str) -> None:
    deployed.call("POST", "/contract", {"contract_number": uuid4().hex, "components": ["energy_supply"]})
    page = deployed.read("/contract?limit=1")
    (item,) = deployed.read(f"/contract?limit=1&cursor={page['next_cursor']}")["items"]
    assert item != page["items"][0]


def test_a_user_who_registers_and_logs_in_is_known(deployed: Deployed) -> None:
    """Password hashes and tokens are imported late, so only this shows whether they can be."""
    name, password = uuid4().hex, uuid4().hex
    user = {"username": name, "email": f"{name}@example.org", "password": password}
    assert deployed.call("POST", "/api/v1/auth/register", user)["statusCode"] == 201
    login = {"username": name, "password": password}
    tokens = json.loads(deployed.call("POST", "/api/v1/auth/login", login)["body"])
    bearer = f"Bearer {tokens['access_token']}"
    assert deployed.read("/api/v1/users/me", authorization=bearer)["username"] == name
    assert deployed.call("GET", "/api/v1/users/me", authorization=bearer[:-4])["statusCode"] == 401


def test_a_request_with_a_key_is_answered_once(deployed: Deployed) -> None:
    contract = {"contract_number": uuid4().hex, "components": ["energy_supply"]}
    keys = [{"idempotency-key": key} for key in ("one", "one", "other")]
    answers = [deployed.call("POST", "/contract", contract, **key) for key in keys]
    assert [answer["statusCode"] for answer in answers] == [201, 201, 409]


def test_an_event_from_the_queue_is_applied(deployed: Deployed, number: str) -> None:
    batch = recorded("ingestion_batch", **{"1001": number})
    assert deployed.invoke("IngestionFunction", batch) == {"batchItemFailures": []}
    assert timeline(deployed, number) == {"energy_supply": {"start": "2024-01-01", "end": None}}


def test_a_message_that_holds_no_event_comes_again_alone(deployed: Deployed, number: str) -> None:
    batch = recorded("ingestion_batch", **{"1001": number})
    batch["Records"].append(batch["Records"][0] | {"messageId": "malformed", "body": "{"})
    assert deployed.invoke("IngestionFunction", batch) == {
        "batchItemFailures": [{"itemIdentifier": "malformed"}]
    }
    assert timeline(deployed, number)["energy_supply"]["start"] == "2024-01-01"


@pytest.fixture
def told(deployed: Deployed) -> Callable[[], list[Any]]:
    """Return what takes the events that were put on the bus from now on."""
    sqs, events = deployed.cloud.client("sqs"), deployed.cloud.client("events")
    name = f"told-{uuid4().hex}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    rule = {"Name": name, "EventBusName": deployed.outputs["event_bus_name"]}
    events.put_rule(**rule, EventPattern=json.dumps({"detail-type": ["timeline_changed"]}))
    targets = [{"Id": "queue", "Arn": attributes["QueueArn"]}]
    events.put_targets(Rule=name, EventBusName=rule["EventBusName"], Targets=targets)
    return lambda: [message["detail"] for message in deployed.messages(url)]


def test_a_change_in_the_table_is_told_on_the_bus(deployed: Deployed, told: Callable[[], list[Any]]) -> None:
    assert deployed.invoke("PublisherFunction", recorded("stream_batch")) == {"batchItemFailures": []}
    (change,) = told()
    assert change["after"] == {"energy_supply": {"start": "2024-01-01", "end": None}}


def test_a_change_that_cannot_be_read_comes_again(deployed: Deployed, told: Callable[[], list[Any]]) -> None:
    batch = recorded("stream_batch")
    batch["Records"][0]["dynamodb"]["NewImage"]["components"] = {"S": "?"}
    assert deployed.invoke("PublisherFunction", batch) == {
        "batchItemFailures": [{"itemIdentifier": batch["Records"][0]["dynamodb"]["SequenceNumber"]}]
    }
    assert told() == []


def test_a_change_in_the_table_is_in_the_portfolio_and_a_second_time_changes_nothing(
    deployed: Deployed, number: str
) -> None:
    batch = json.loads(json.dumps(recorded("stream_batch")).replace("1001", number))
    for _ in range(2):
        assert deployed.invoke("PortfolioFunction", batch) == {"batchItemFailures": []}
    items = deployed.read("/portfolio?on=2024-01-01&limit=200")["items"]
    assert [item for item in items if item["contract_number"] == number] == [
        {"contract_number": number, "component": "energy_supply", "start": "2024-01-01", "end": None}
    ]


def export(deployed: Deployed, minutes: int, meter_id: str = "123") -> str:
    """Ask the API for an export, and the worker to make it; return the job's id."""
    wish = {
        "smart_meter_id": meter_id,
        "start_datetime": LONG_AGO.isoformat(),
        "end_datetime": (LONG_AGO + timedelta(minutes=minutes)).isoformat(),
    }
    created = deployed.call("POST", "/api/export/csv", wish)
    assert created["statusCode"] == 200, created
    job_id: str = json.loads(created["body"])["job_id"]
    (message,) = deployed.messages(deployed.outputs["export_queue_url"])
    assert message == {"job_id": job_id}
    assert deployed.invoke("ExportFunction", recorded("export_message", **{NOT_KNOWN: job_id})) == {
        "batchItemFailures": []
    }
    return job_id


def test_a_message_that_asks_for_no_export_comes_again(deployed: Deployed) -> None:
    batch = recorded("export_message")
    batch["Records"][0]["body"] = "{"
    assert deployed.invoke("ExportFunction", batch) == {
        "batchItemFailures": [{"itemIdentifier": batch["Records"][0]["messageId"]}]
    }


def test_an_export_of_a_meter_that_there_is_not_fails(deployed: Deployed) -> None:
    job_id = export(deployed, 10, meter_id="nobody")
    status = deployed.read(f"/api/export/status/{job_id}")
    assert (status["status"], status["error"]["code"]) == ("failed", "SMART_METER_NOT_FOUND")


def most_minutes(size: int) -> int:
    """Return how many minutes of the simulated meter make a file of at most `size` bytes."""
    period = Interval(LONG_AGO, LONG_AGO + timedelta(days=100))
    total = len(HEADER)
    minutes = 0
    for line in (line for block in simulate("123", period) for line in block.splitlines(keepends=True)):
        total += len(line)
        if total > size:
            break
        minutes += 1
    return minutes


def test_the_largest_file_that_is_answered_inline_passes_the_limit(deployed: Deployed) -> None:
    job_id = export(deployed, most_minutes(MAX_INLINE_BYTES))
    answer = deployed.call("GET", f"/api/export/download/{job_id}")
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    info = deployed.read(f"/api/export/status/{job_id}")["file_info"]
    assert MAX_INLINE_BYTES - 100 < info["file_size_bytes"] <= MAX_INLINE_BYTES
    assert sha256(answer["body"].encode()).hexdigest() == info["sha256"]


def test_a_larger_file_is_where_the_answer_points(deployed: Deployed) -> None:
    job_id = export(deployed, most_minutes(MAX_INLINE_BYTES) + 1)
    answer = deployed.call("GET", f"/api/export/download/{job_id}")
    assert answer["statusCode"] == 307
    with build_opener(ProxyHandler({})).open(answer["headers"]["location"]) as file:
        content = file.read()
    info = deployed.read(f"/api/export/status/{job_id}")["file_info"]
    assert sha256(content).hexdigest() == info["sha256"]


def test_the_schedule_sends_a_job_again_that_nobody_works_on(deployed: Deployed) -> None:
    period = Interval(LONG_AGO, LONG_AGO + timedelta(minutes=10))
    overdue = datetime.now(UTC) - UNSENT_AFTER
    job = exports.new_job(str(uuid4()), "123", period, "anonymous", overdue)
    deployed.jobs().create(job)
    assert deployed.invoke("ExportSweepFunction", recorded("schedule")) is None
    assert deployed.messages(deployed.outputs["export_queue_url"]) == [{"job_id": job.id}]
    assert deployed.invoke("ExportSweepFunction", recorded("schedule")) is None
    assert deployed.messages(deployed.outputs["export_queue_url"]) == []


def test_a_job_that_has_waited_for_a_day_fails_whatever_the_sweep_is_told(deployed: Deployed) -> None:
    period = Interval(LONG_AGO, LONG_AGO + timedelta(minutes=10))
    job = exports.new_job(str(uuid4()), "123", period, "anonymous", datetime.now(UTC) - LOST_AFTER)
    deployed.jobs().create(job)
    assert deployed.invoke("ExportSweepFunction", "no event at all") is None
    failed = deployed.jobs().get(job.id)
    assert failed is not None
    assert failed.status is Status.FAILED
    assert deployed.messages(deployed.outputs["export_queue_url"]) == []
