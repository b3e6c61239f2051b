"""Why messages became dead letters, as far as that can be seen from the messages and the tables now."""

from datetime import UTC, datetime
from typing import NamedTuple

from domain.contracts.events import ComponentEvent
from domain.contracts.trails import IdempotencyKeyReusedError
from domain.meters.readings import MeterIsSimulatedError, MeterKind
from domain.meters.uploads import InvalidReadingsError
from infra.contracts.contract_store import ContractStore
from infra.contracts.event_messages import MalformedMessageError, read_message
from infra.contracts.trail_rows import NO_CONTRACT
from infra.contracts.trail_store import TrailStore
from infra.dead_letters import DeadLetter
from infra.meters.meter_store import MeterStore
from infra.meters.reading_messages import has_readings, read_readings

_VALID = "the message is valid: applying it failed on every receive; see the log of the function"


class Reasons(NamedTuple):
    """Finds reasons; it reads at most three items for each dead letter."""

    contracts: ContractStore
    trails: TrailStore
    meters: MeterStore

    def of(self, letter: DeadLetter) -> str:
        """Return why a message became a dead letter; the text may contain what the publisher sent."""
        if letter.queue == "rule":
            parts = [letter.attributes.get(name) for name in ("ERROR_CODE", "ERROR_MESSAGE")]
            return ": ".join(filter(None, parts)) or "the rule could not deliver it"
        if letter.queue in ("publisher", "portfolio"):
            return _reason_of_records(letter)
        if letter.queue == "export":
            return "the worker never finished it; see the status of the job"
        return self._error_in(letter.body) or _VALID

    def _error_in(self, body: str) -> str | None:
        """Return why the ingestion function cannot apply a message; None if the message is valid."""
        try:
            if has_readings(body):
                meter_id = read_readings(body, datetime.now(UTC)).meter_id
                return str(MeterIsSimulatedError(meter_id)) if self._is_simulated(meter_id) else None
            event = read_message(body).event
        except (MalformedMessageError, InvalidReadingsError) as error:
            return str(error)
        return str(IdempotencyKeyReusedError()) if self._is_decided(event) else None

    def _is_simulated(self, meter_id: str) -> bool:
        meter = self.meters.get(meter_id)
        return meter is not None and meter.kind is MeterKind.SIMULATED

    def _is_decided(self, event: ComponentEvent) -> bool:
        """Return whether the trail has the event's id; only another payload under it makes a dead letter."""
        contract = self.contracts.get(event.contract_number)
        generations = {contract.generation if contract else NO_CONTRACT, NO_CONTRACT}
        return any(self.trails.row(event.contract_number, number, event.key) for number in generations)


def _reason_of_records(letter: DeadLetter) -> str:
    failure = letter.content if isinstance(letter.content, dict) else {}
    condition = failure.get("requestContext", {}).get("condition", "unknown")
    batch = failure.get("DDBStreamBatchInfo", {})
    return (
        f"{condition}: {batch.get('batchSize')} records of the stream from {batch.get('startSequenceNumber')}"
    )
