"""The application with a store as one might write it first: read, decide, then write."""

from collections.abc import Collection

from fastapi import FastAPI

from domain.contracts.events import ComponentEvent
from domain.contracts.trails import Reception
from domain.contracts.verdicts import Code, decide, explain
from functions.api.app import create_app
from infra.aws import dynamodb
from infra.contracts import contract_store
from infra.contracts.contract_store import ContractStore
from infra.contracts.event_conditions import update_of
from infra.contracts.timeline_store import Decision, TimelineStore
from infra.settings import ApiSettings, settings
from infra.stores import stores


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
    naive = ReadThenWriteStore(dynamodb(), settings(ApiSettings).contracts_table, audited=False)
    vars(stores())["timelines"] = naive
    return create_app()


def create_careless_app() -> FastAPI:
    """Return the application with corrections that store over whatever was written since they read."""
    contract_store.IS_AS_READ = "#id = :id AND (#version = :version OR #version > :one)"
    return create_app()
