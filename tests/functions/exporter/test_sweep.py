"""The sweep: jobs that no worker processes, and messages that were lost."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from domain import export_changes, exports
from domain.export_changes import LEASE, LOST_AFTER, MAX_ATTEMPTS
from domain.exports import UNSENT_AFTER, Status
from functions.exporter import handler, sweep
from infra import aws
from infra.exports.queue import MAX_RECEIVES, ExportQueue, MalformedMessageError, job_of
from infra.settings import ExportQueueSettings, settings
from tests.conftest import read_template
from tests.functions.exporter.conftest import World


@pytest.fixture
def queue(world: World) -> ExportQueue:
    return ExportQueue(aws.sqs(), settings(ExportQueueSettings).export_queue_url)


def sent(queue: ExportQueue) -> list[str]:
    answer = queue.client.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10)
    return sorted(job_of(message["Body"]) for message in answer.get("Messages", []))


def test_a_job_whose_message_was_never_sent_is_sent_again(world: World, queue: ExportQueue) -> None:
    job_id = world.new_job()
    sweep.sweep(world.jobs, queue, world.now + UNSENT_AFTER - timedelta(seconds=1))
    assert sent(queue) == []
    sweep.sweep(world.jobs, queue, world.now + UNSENT_AFTER)
    sweep.sweep(world.jobs, queue, world.now + UNSENT_AFTER)
    assert sent(queue) == [job_id]


def test_a_job_whose_worker_died_is_sent_again(world: World, queue: ExportQueue) -> None:
    job_id = world.new_job()
    world.jobs.change(job_id, lambda job: export_changes.claim(job, world.now))
    sweep.sweep(world.jobs, queue, world.now + LEASE - timedelta(seconds=1))
    assert sent(queue) == []
    sweep.sweep(world.jobs, queue, world.now + LEASE)
    assert sent(queue) == [job_id]


def test_finished_jobs_are_not_looked_at(world: World, queue: ExportQueue) -> None:
    job_id = world.new_job()
    world.jobs.change(job_id, lambda job: export_changes.cancel(job, world.now))
    assert list(world.jobs.overdue(world.now + LOST_AFTER)) == []


def test_a_job_that_waited_for_a_day_has_failed(
    world: World, queue: ExportQueue, counted: Callable[[], dict[str, float]]
) -> None:
    job_id = world.new_job()
    sweep.sweep(world.jobs, queue, world.now + LOST_AFTER)
    assert counted() == {"ExportsFailed": 1}
    assert world.job(job_id).status is Status.FAILED
    assert sent(queue) == []


def test_more_overdue_jobs_than_a_page_holds_are_all_found(world: World, queue: ExportQueue) -> None:
    ids = sorted(world.new_job() for _ in range(30))
    world.jobs.client.meta.events.register(
        "provide-client-params.dynamodb.Query", lambda params, **_: params | {"Limit": 7}
    )
    assert sorted(world.jobs.overdue(world.now + UNSENT_AFTER)) == ids


def spoil(world: World, job_id: str) -> None:
    """Give a job a status that no version of the code knows."""
    world.jobs.client.update_item(
        TableName=world.jobs.table,
        Key={"job_id": {"S": job_id}},
        UpdateExpression="SET #status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": {"S": "paused"}},
    )


def test_a_job_that_cannot_be_read_stops_no_other(
    world: World,
    queue: ExportQueue,
    counted: Callable[[], dict[str, float]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    jobs = [world.new_job() for _ in range(5)]
    spoil(world, jobs[0])
    spoil(world, jobs[3])
    with pytest.raises(sweep.SweepError, match="2 jobs"):
        sweep.sweep(world.jobs, queue, world.now + UNSENT_AFTER)
    assert sent(queue) == [jobs[1], jobs[2], jobs[4]]
    assert counted() == {"ExportsNotRecovered": 2}
    named = [line.__dict__["job_id"] for line in caplog.records if line.message == "Export not recovered"]
    assert sorted(named) == [jobs[0], jobs[3]]


def test_a_job_that_cannot_be_sent_stops_no_other(world: World, queue: ExportQueue) -> None:
    jobs = [world.new_job() for _ in range(3)]

    def refuse(params: dict[str, Any], **_: Any) -> None:
        if jobs[1] in params["MessageBody"]:
            raise EndpointConnectionError(endpoint_url="https://sqs")

    queue.client.meta.events.register_first("provide-client-params.sqs.SendMessage", refuse)
    with pytest.raises(sweep.SweepError, match="1 job"):
        sweep.sweep(world.jobs, queue, world.now + UNSENT_AFTER)
    assert sent(queue) == [jobs[0], jobs[2]]


def test_a_sweep_stops_in_time_and_the_next_one_continues(world: World, queue: ExportQueue) -> None:
    jobs = sorted(world.new_job() for _ in range(5))
    answers = iter([True, True, False])
    sweep.sweep(world.jobs, queue, world.now + UNSENT_AFTER, lambda: next(answers))
    first = sent(queue)
    assert len(first) == 2
    sweep.sweep(world.jobs, queue, world.now + UNSENT_AFTER)
    assert sorted(first + sent(queue)) == jobs


def test_a_sweep_asks_lambda_for_its_time(world: World, queue: ExportQueue) -> None:
    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 14_000

    job_id = world.new_job()
    sweep.handler({}, Context())  # type: ignore[arg-type]
    # With time it would have failed: it has waited for more than a day.
    assert world.job(job_id).status is Status.PENDING


def record(body: str, receives: int = 1) -> dict[str, Any]:
    return {
        "messageId": "message",
        "receiptHandle": "receipt",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "eventSource": "aws:sqs",
    }


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"job_id": 1}', '{"job_id": ""}', "null"])
def test_a_malformed_message_asks_for_no_job(body: str) -> None:
    with pytest.raises(MalformedMessageError):
        job_of(body)


def test_of_a_batch_only_the_messages_that_failed_are_delivered_again(
    world: World, queue: ExportQueue
) -> None:
    leased = world.new_job()
    world.jobs.change(leased, lambda job: export_changes.claim(job, handler_time()))
    messages = [json.dumps({"job_id": leased}), "garbage", json.dumps({"job_id": "nobody-knows"})]
    records = [record(body) | {"messageId": str(index)} for index, body in enumerate(messages)]
    queue.send("x")
    handle = queue.client.receive_message(QueueUrl=queue.url)["Messages"][0]["ReceiptHandle"]
    for entry in records:
        entry["receiptHandle"] = handle
    answer = handler.handler({"Records": records}, None)  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}, {"itemIdentifier": "1"}]}


def handler_time() -> Any:
    return handler.worker().now()


def test_a_lease_outlasts_the_longest_call_of_a_running_attempt() -> None:
    config: Any = aws.s3().meta.config
    sendings = config.retries["total_max_attempts"]
    # botocore waits at most 1, 2, 4, ... seconds between sendings.
    longest = sendings * (config.connect_timeout + config.read_timeout) + 2 ** (sendings - 1) - 1
    assert timedelta(seconds=longest) + timedelta(seconds=10) < LEASE


def test_the_template_says_what_the_code_relies_on() -> None:
    resources = read_template()["Resources"]
    queue, function = resources["ExportQueue"]["Properties"], resources["ExportFunction"]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MAX_RECEIVES == MAX_ATTEMPTS
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    rules = resources["ExportBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert timedelta(days=rules[0]["ExpirationInDays"]) == exports.FILE_LIFETIME
