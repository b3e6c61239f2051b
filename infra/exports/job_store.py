"""Export jobs in DynamoDB: one item each, every write conditional on the state it was decided on."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from domain.exports import ExportJob, Refusal
from domain.instants import to_micros
from infra.aws import refused_item, write_errors_classified
from infra.exports.job_items import OPEN, StoredJob, number_of, to_item, to_job

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Conditions of the writes below.
IS_NEW = "attribute_not_exists(#job_id)"
IS_UNCHANGED = "#change = :change"


Decide = Callable[[ExportJob], ExportJob | Refusal]


class Page(NamedTuple):
    """Some jobs of a meter, the newest first, and the position to go on after, if any."""

    jobs: tuple[ExportJob, ...]
    next_after: str | None


class ExportStore:
    """The export jobs of one table; `fresh_id` names each write, and never twice the same."""

    def __init__(self, client: "DynamoDBClient", table: str, fresh_id: Callable[[], str]) -> None:
        self.client = client
        self.table = table
        self.fresh_id = fresh_id

    def create(self, job: ExportJob) -> None:
        """Store a new job.

        Raises:
            OutcomeUnknownError: the answer to the write was lost.
        """
        try:
            with write_errors_classified():
                self.client.put_item(**self.put_of(job))
        except ClientError:
            # Refused. Its id is random, so only a first sending of this very request put it there.
            return

    def put_of(self, job: ExportJob) -> Any:  # noqa: ANN401 - alone and in a transaction typed apart
        """Return the write that stores a new job."""
        return {
            "TableName": self.table,
            "Item": to_item(StoredJob(job, self.fresh_id())),
            "ConditionExpression": IS_NEW,
            "ExpressionAttributeNames": {"#job_id": "job_id"},
        }

    def get(self, job_id: str) -> ExportJob | None:
        """Read a job, consistently."""
        stored = self._get(job_id)
        return stored.job if stored else None

    def ping(self) -> None:
        """Ask the table for something, to see whether it answers."""
        self.client.get_item(TableName=self.table, Key={"job_id": {"S": "-"}})

    def change(self, job_id: str, decide: Decide) -> ExportJob | Refusal:
        """Store what `decide` makes of the job as it is, and return it, or why there is nothing to store.

        `decide` is asked again where another writer was faster; no change is ever overwritten.

        Raises:
            OutcomeUnknownError: the answer to the write was lost.
        """
        stored = self._get(job_id)
        while stored is not None:
            after = decide(stored.job)
            if isinstance(after, Refusal):
                return after
            stored, applied = self._replace(stored, after)
            if applied:
                return after
        return Refusal.NOT_FOUND

    def _get(self, job_id: str) -> StoredJob | None:
        answer = self.client.get_item(
            TableName=self.table, Key={"job_id": {"S": job_id}}, ConsistentRead=True
        )
        return to_job(answer["Item"]) if "Item" in answer else None

    def _replace(self, before: StoredJob, job: ExportJob) -> tuple[StoredJob | None, bool]:
        """Store `job` if nothing has changed since `before`; returns what is stored then, if anything."""
        after = StoredJob(job, self.fresh_id())
        try:
            with write_errors_classified():
                self.client.put_item(
                    TableName=self.table,
                    Item=to_item(after),
                    ConditionExpression=IS_UNCHANGED,
                    ExpressionAttributeNames={"#change": "change"},
                    ExpressionAttributeValues={":change": {"S": before.change}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            item = refused_item(error)
            found = to_job(item) if item else None
            # Our own write stands in the way: the SDK resent a request whose answer was lost.
            return found, found is not None and found.change == after.change
        return after, True

    def page(self, meter_id: str, limit: int, after: str | None, owner: str | None = None) -> Page:
        """List the jobs of a meter, the newest first; a change shows up within about a second.

        With an `owner` others' jobs are skipped, and nothing tells that there are any.
        """
        query: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": "by_meter",
            "KeyConditionExpression": "#meter = :meter",
            "ExpressionAttributeNames": {"#meter": "smart_meter_id"},
            "ExpressionAttributeValues": {":meter": {"S": meter_id}},
            "ScanIndexForward": False,
        }
        if after is not None:
            query["ExclusiveStartKey"] = _position_key(meter_id, after)
        if owner is None:
            query["Limit"] = limit + 1  # one more than asked for tells whether others follow
        else:
            query["FilterExpression"] = "#owner = :owner"
            query["ExpressionAttributeNames"]["#owner"] = "owner"
            query["ExpressionAttributeValues"][":owner"] = {"S": owner}
        pages = self.client.get_paginator("query").paginate(**query)
        found = list(islice((item for page in pages for item in page["Items"]), limit + 1))
        jobs = tuple(to_job(item).job for item in found[:limit])
        more = len(found) > limit
        return Page(jobs, f"{to_micros(jobs[-1].created_at)} {jobs[-1].id}" if more else None)

    def overdue(self, now: datetime) -> Iterator[str]:
        """Find the ids of pending jobs that were due before `now`, the longest waiting first."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="open",
            KeyConditionExpression="#open = :open AND #due_at <= :now",
            ExpressionAttributeNames={"#open": "open", "#due_at": "due_at"},
            ExpressionAttributeValues={":open": {"S": OPEN}, ":now": number_of(now)},
        )
        for page in pages:
            for item in page["Items"]:
                yield item["job_id"]["S"]


def _position_key(meter_id: str, position: str) -> dict[str, Any]:
    created_at, job_id = position.split(" ")
    return {
        "job_id": {"S": job_id},
        "smart_meter_id": {"S": meter_id},
        "created_at": {"N": created_at},
    }
