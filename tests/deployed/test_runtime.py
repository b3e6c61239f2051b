"""Each deployed function in Lambda's own runtime, with the tables and queues of an emulated AWS."""

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
from domain.export_changes import LOST_AFTER
from domain.exports import UNSENT_AFTER, Status
from domain.meters.csv_format import HEADER
from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from functions.api.exports.exports import MAX_INLINE_BYTES
from infra.exports.job_store import ExportStore
from infra.local.deploy import STACK, deploy, environment_of
from infra.local.emulator import Emulator, emulator
from infra.meters.meter_store import MeterStore
from tests.deployed.conftest import FUNCTIONS
from tests.deployed.rie import Environment, Function, running, runtime_client
from tests.e2e.conftest import built_layers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="AWS's runtime emulator is for Linux")

EVENTS = Path(__file__).parents[1] / "events"
PARAMETERS = {"Stage": "local", "AuthMode": "open", "Registration": "open"}
LAMBDA_LIMIT = 6 * 1024 * 1024
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
UNKNOWN_JOB = "2f1f2a9e-0000-4000-8000-000000000000"

PROBE = """
import sys
from importlib.util import find_spec

def handler(event, context):
    return "x" * event if isinstance(event, int) else [name for name in event if find_spec(name)]
"""


def recorded(name: str, **changes: str) -> Any:
    """Read a recorded payload, and replace some of its text."""
    text = (EVENTS / f"{name}.json").read_text()
    for before, after in changes.items():
        text = text.replace(before, after)
    return json.loads(text)


@dataclass(frozen=True)
class Deployed:
    """The stack; its functions run in Lambda's runtime here, not in the emulated AWS."""

    cloud: Emulator
    outputs: dict[str, str]
    start: Callable[[str], Environment]

    def invoke(self, function: str, event: object) -> Any:
        """Invoke the function with the logical id `function` of template.yaml."""
        return self.start(function).invoke(event)

    def call(self, method: str, target: str, body: object = None, **headers: str) -> dict[str, Any]:
        """Send a request to the API function in the form of the gateway, and return its answer."""
        path, _, query = target.partition("?")
        text = None if body is None else json.dumps(body)
        event = recorded("http_api_event") | {"rawPath": path, "rawQueryString": query, "body": text}
        event["requestContext"]["http"] |= {"method": method, "path": path}
        event["headers"] |= {"content-length": str(len(text or "")), **headers}
        answer: dict[str, Any] = self.invoke("ApiFunction", event)
        return answer

    def read(self, target: str, **headers: str) -> Any:
        """Return the body of the API's answer to GET."""
        answer = self.call("GET", target, **headers)
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])

    def jobs(self) -> ExportStore:
        table = self.outputs["export_jobs_table_name"]
        return ExportStore(self.cloud.client("dynamodb"), table, fresh_id=lambda: uuid4().hex)

    def messages(self, url: str) -> list[Any]:
        """Receive the messages in a queue."""
        answer = self.cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture(scope="module")
def deployed(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("deployed")
    client = runtime_client(folder / "client")
    started: dict[str, Environment] = {}
    with ExitStack() as stack:
        cloud = stack.enter_context(emulator(folder / "cloud"))
        outputs = deploy(cloud, built_layers(), PARAMETERS)
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
    """Disable the triggers of the functions inside the emulated AWS, since those are not the built artifacts."""
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
    """A function that returns a given number of characters, or those of the given modules that it can import."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "probe.py").write_text(PROBE)
    function = Function(tmp_path / "code", artifacts / "DependencyLayer", "probe.handler", 5, 256, {})
    with running(function, runtime_client(tmp_path / "client"), tmp_path / "log") as environment:
        yield environment


def test_a_function_can_import_the_layer_but_not_the_packages_of_the_tests(probe: Environment) -> None:
    assert probe.invoke(["fastapi", "boto3", "pytest", "yaml", "moto", "domain"]) == ["fastapi", "boto3"]


def test_the_runtime_refuses_an_answer_beyond_the_limit_of_lambda(probe: Environment) -> None:
    assert len(probe.invoke(LAMBDA_LIMIT - 2)) == LAMBDA_LIMIT - 2
    assert b"Function.ResponseSizeTooLarge" in probe.invoke_raw(str(LAMBDA_LIMIT + 1024).encode())


def test_these_tests_cover_every_function_of_the_template() -> None:
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


def test_the_api_answers_a_request_of_the_gateway(deployed: Deployed, number: str) -> None:
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


def test_a_payload_that_is_not_a_request_fails_and_the_next_request_is_answered(deployed: Deployed) -> None:
    assert set(deployed.invoke("ApiFunction", {"Records": []})) > {"errorMessage", "errorType"}
    assert deployed.read("/health/ready") == {"status": "ready"}


def test_a_list_continues_with_a_cursor_that_is_encrypted_with_the_secret(
    deployed: Deployed, number: str
) -> None:
    deployed.call("POST", "/contract", {"contract_number": uuid4().hex, "components": ["energy_supply"]})
    page = deployed.read("/contract?limit=1")
    (item,) = deployed.read(f"/contract?limit=1&cursor={page['next_cursor']}")["items"]
    assert item != page["items"][0]


def test_a_user_can_register_and_log_in(deployed: Deployed) -> None:
    """The modules for password hashes and tokens are imported in functions, so only a call shows that they exist."""
    name, password = uuid4().hex, uuid4().hex
    user = {"username": name, "email": f"{name}@example.org", "password": password}
    assert deployed.call("POST", "/api/v1/auth/register", user)["statusCode"] == 201
    login = {"username": name, "password": password}
    tokens = json.loads(deployed.call("POST", "/api/v1/auth/login", login)["body"])
    bearer = f"Bearer {tokens['access_token']}"
    assert deployed.read("/api/v1/users/me", authorization=bearer)["username"] == name
    assert deployed.call("GET", "/api/v1/users/me", authorization=bearer[:-4])["statusCode"] == 401


def test_a_request_with_an_idempotency_key_is_executed_once(deployed: Deployed) -> None:
    contract = {"contract_number": uuid4().hex, "components": ["energy_supply"]}
    keys = [{"idempotency-key": key} for key in ("one", "one", "other")]
    answers = [deployed.call("POST", "/contract", contract, **key) for key in keys]
    assert [answer["statusCode"] for answer in answers] == [201, 201, 409]


def test_an_event_from_the_queue_is_applied(deployed: Deployed, number: str) -> None:
    batch = recorded("ingestion_batch", **{"1001": number})
    assert deployed.invoke("IngestionFunction", batch) == {"batchItemFailures": []}
    assert timeline(deployed, number) == {"energy_supply": {"start": "2024-01-01", "end": None}}


def test_only_the_message_without_an_event_is_delivered_again(deployed: Deployed, number: str) -> None:
    batch = recorded("ingestion_batch", **{"1001": number})
    batch["Records"].append(batch["Records"][0] | {"messageId": "malformed", "body": "{"})
    assert deployed.invoke("IngestionFunction", batch) == {
        "batchItemFailures": [{"itemIdentifier": "malformed"}]
    }
    assert timeline(deployed, number)["energy_supply"]["start"] == "2024-01-01"


@pytest.fixture
def published(deployed: Deployed) -> Callable[[], list[Any]]:
    """Return a function that receives the changes published on the bus from now on."""
    sqs, events = deployed.cloud.client("sqs"), deployed.cloud.client("events")
    name = f"changes-{uuid4().hex}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    rule = {"Name": name, "EventBusName": deployed.outputs["event_bus_name"]}
    events.put_rule(**rule, EventPattern=json.dumps({"detail-type": ["timeline_changed"]}))
    targets = [{"Id": "queue", "Arn": attributes["QueueArn"]}]
    events.put_targets(Rule=name, EventBusName=rule["EventBusName"], Targets=targets)
    return lambda: [message["detail"] for message in deployed.messages(url)]


def test_a_change_in_the_table_is_published_on_the_bus(
    deployed: Deployed, published: Callable[[], list[Any]]
) -> None:
    assert deployed.invoke("PublisherFunction", recorded("stream_batch")) == {"batchItemFailures": []}
    (change,) = published()
    assert change["after"] == {"energy_supply": {"start": "2024-01-01", "end": None}}


def test_a_change_that_cannot_be_read_is_delivered_again(
    deployed: Deployed, published: Callable[[], list[Any]]
) -> None:
    batch = recorded("stream_batch")
    batch["Records"][0]["dynamodb"]["NewImage"]["components"] = {"S": "?"}
    assert deployed.invoke("PublisherFunction", batch) == {
        "batchItemFailures": [{"itemIdentifier": batch["Records"][0]["dynamodb"]["SequenceNumber"]}]
    }
    assert published() == []


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
    """Order an export from the API, and let the worker run it; return the job's id."""
    order = {
        "smart_meter_id": meter_id,
        "start_datetime": LONG_AGO.isoformat(),
        "end_datetime": (LONG_AGO + timedelta(minutes=minutes)).isoformat(),
    }
    created = deployed.call("POST", "/api/export/csv", order)
    assert created["statusCode"] == 200, created
    job_id: str = json.loads(created["body"])["job_id"]
    (message,) = deployed.messages(deployed.outputs["export_queue_url"])
    assert message == {"job_id": job_id}
    assert deployed.invoke("ExportFunction", recorded("export_message", **{UNKNOWN_JOB: job_id})) == {
        "batchItemFailures": []
    }
    return job_id


def test_a_message_without_a_job_is_delivered_again(deployed: Deployed) -> None:
    batch = recorded("export_message")
    batch["Records"][0]["body"] = "{"
    assert deployed.invoke("ExportFunction", batch) == {
        "batchItemFailures": [{"itemIdentifier": batch["Records"][0]["messageId"]}]
    }


def test_an_export_of_an_unknown_meter_fails(deployed: Deployed) -> None:
    job_id = export(deployed, 10, meter_id="unknown")
    status = deployed.read(f"/api/export/status/{job_id}")
    assert (status["status"], status["error"]["code"]) == ("failed", "SMART_METER_NOT_FOUND")


def minutes_within(size: int) -> int:
    """Return how many minutes of the simulated meter fit into a file of at most `size` bytes."""
    period = Interval(LONG_AGO, LONG_AGO + timedelta(days=100))
    total = len(HEADER)
    minutes = 0
    for line in (line for block in simulate("123", period) for line in block.splitlines(keepends=True)):
        total += len(line)
        if total > size:
            break
        minutes += 1
    return minutes


def test_the_largest_inline_file_is_within_the_limit_of_lambda(deployed: Deployed) -> None:
    job_id = export(deployed, minutes_within(MAX_INLINE_BYTES))
    answer = deployed.call("GET", f"/api/export/download/{job_id}")
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    info = deployed.read(f"/api/export/status/{job_id}")["file_info"]
    assert MAX_INLINE_BYTES - 100 < info["file_size_bytes"] <= MAX_INLINE_BYTES
    assert sha256(answer["body"].encode()).hexdigest() == info["sha256"]


def test_a_larger_file_is_at_the_url_of_the_redirect(deployed: Deployed) -> None:
    job_id = export(deployed, minutes_within(MAX_INLINE_BYTES) + 1)
    answer = deployed.call("GET", f"/api/export/download/{job_id}")
    assert answer["statusCode"] == 307
    with build_opener(ProxyHandler({})).open(answer["headers"]["location"]) as file:
        content = file.read()
    info = deployed.read(f"/api/export/status/{job_id}")["file_info"]
    assert sha256(content).hexdigest() == info["sha256"]


def test_the_sweep_sends_an_overdue_job_again_once(deployed: Deployed) -> None:
    period = Interval(LONG_AGO, LONG_AGO + timedelta(minutes=10))
    overdue = datetime.now(UTC) - UNSENT_AFTER
    job = exports.new_job(str(uuid4()), "123", period, "anonymous", overdue)
    deployed.jobs().create(job)
    assert deployed.invoke("ExportSweepFunction", recorded("schedule")) is None
    assert deployed.messages(deployed.outputs["export_queue_url"]) == [{"job_id": job.id}]
    assert deployed.invoke("ExportSweepFunction", recorded("schedule")) is None
    assert deployed.messages(deployed.outputs["export_queue_url"]) == []


def test_the_sweep_fails_a_job_that_has_waited_for_a_day(deployed: Deployed) -> None:
    period = Interval(LONG_AGO, LONG_AGO + timedelta(minutes=10))
    job = exports.new_job(str(uuid4()), "123", period, "anonymous", datetime.now(UTC) - LOST_AFTER)
    deployed.jobs().create(job)
    assert deployed.invoke("ExportSweepFunction", "no event at all") is None
    failed = deployed.jobs().get(job.id)
    assert failed is not None
    assert failed.status is Status.FAILED
    assert deployed.messages(deployed.outputs["export_queue_url"]) == []
