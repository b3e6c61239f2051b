"""The application with a store as one might write it first: read, decide, then write."""

from collections.abc import Collection

from domain.contracts.events import ComponentEvent
from domain.contracts.verdicts import Code, decide, explain
from fastapi import FastAPI

from domain.contracts.trails import Reception
from functions.api import dependencies as deps
from functions.api.app import create_app
from infra.aws import dynamodb
from infra.contracts.contract_store import ContractStore
from infra.contracts.timeline_store import Decision, TimelineStore, update_of
from infra.settings import ApiSettings, settings


class ReadThenWriteStore(TimelineStore):
    """Decides on what it has read, and writes whatever has happened since."""

    def apply(
        self,
        event: ComponentEvent,
        reception: Reception,  # noqa: ARG002 - keeps no trail
        retryable: Collection[Code] = (),  # noqa: ARG002 - serves HTTP only
    ) -> Decision:
        verdict = decide(ContractStore(self.client, self.table).get(event.contract_number), event)
        if verdict.accepted:
            update = update_of(event)
            del update["ConditionExpression"]
            update["ExpressionAttributeNames"] = {
                alias: name
                for alias, name in update["ExpressionAttributeNames"].items()
                if alias in update["UpdateExpression"]
            }
            self.client.update_item(TableName=self.table, **update)
        return Decision(verdict, explain(verdict, event))


def create_naive_app() -> FastAPI:
    """Return the application with that store in the place of its own."""
    app = create_app()

    async def naive_timelines() -> TimelineStore:
        return ReadThenWriteStore(dynamodb(), settings(ApiSettings).contracts_table, audited=False)

    app.dependency_overrides[deps.timelines] = naive_timelines
    return app
