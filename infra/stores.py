"""The composition root: every store of a process, built once from its settings, when it is first used.

The imports are inside the properties, so that a function loads only the stores that it uses: importing all of
them would make each cold start pay for passwords, tokens and files.
"""

from functools import cache, cached_property
from typing import TYPE_CHECKING
from uuid import uuid4

from domain.contracts.trails import AuditDisabledError
from infra.aws import dynamodb, eventbridge, s3, sqs
from infra.settings import (
    ApiSettings,
    DeadLetterSettings,
    ExportQueueSettings,
    ExportSettings,
    IngestionSettings,
    PortfolioSettings,
    PublisherSettings,
    ReadingSettings,
    Settings,
    settings,
)

if TYPE_CHECKING:
    from infra.contracts.contract_store import ContractStore
    from infra.contracts.timeline_changes import ChangePublisher
    from infra.contracts.timeline_store import TimelineStore
    from infra.contracts.trail_store import TrailStore
    from infra.cursors import Cursors
    from infra.dead_letter_queues import DeadLetterQueues
    from infra.dead_letter_reasons import Reasons
    from infra.exports.contract_lines import ContractLines
    from infra.exports.files import ExportFiles
    from infra.exports.job_store import ExportStore
    from infra.exports.queue import ExportQueue
    from infra.idempotency import IdempotencyStore
    from infra.ingestion_queue import IngestionQueue
    from infra.meters.meter_store import MeterStore
    from infra.meters.reading_store import ReadingStore
    from infra.portfolio.event_log import EventLog
    from infra.portfolio.portfolio_store import PortfolioStore
    from infra.portfolio.queries import PortfolioQueries
    from infra.users.api_key_store import ApiKeyStore
    from infra.users.login_throttle import ThrottleStore
    from infra.users.session_store import SessionStore
    from infra.users.tokens import Tokens
    from infra.users.user_store import UserStore


class Stores:
    """The stores of one process. A test creates its own for its tables."""

    @cached_property
    def contracts(self) -> "ContractStore":
        """Contracts."""
        from infra.contracts.contract_store import ContractStore

        return ContractStore(dynamodb(), settings(Settings).contracts_table)

    @cached_property
    def timelines(self) -> "TimelineStore":
        """Applies events to contracts."""
        from infra.contracts.timeline_store import TimelineStore

        chosen = settings(Settings)
        return TimelineStore(dynamodb(), chosen.contracts_table, audited=chosen.enable_event_audit)

    @cached_property
    def trails(self) -> "TrailStore":
        """The trails of contracts.

        Raises:
            AuditDisabledError: this stage keeps no trails.
        """
        from infra.contracts.trail_store import TrailStore

        if not settings(Settings).enable_event_audit:
            raise AuditDisabledError
        return TrailStore(dynamodb(), settings(Settings).contracts_table)

    @cached_property
    def portfolio(self) -> "PortfolioStore":
        """What keeps the portfolio."""
        from infra.portfolio.portfolio_store import PortfolioStore

        return PortfolioStore(dynamodb(), settings(PortfolioSettings).portfolio_table)

    @cached_property
    def portfolio_queries(self) -> "PortfolioQueries":
        """What answers questions to the portfolio."""
        from infra.portfolio.queries import PortfolioQueries

        return PortfolioQueries(dynamodb(), settings(PortfolioSettings).portfolio_table)

    @cached_property
    def event_log(self) -> "EventLog":
        """The log of decided events by day."""
        from infra.portfolio.event_log import EventLog

        chosen = settings(PortfolioSettings)
        return EventLog(dynamodb(), chosen.portfolio_table, chosen.event_log_days)

    @cached_property
    def change_publisher(self) -> "ChangePublisher":
        """Publishes changes of timelines on the bus."""
        from infra.contracts.timeline_changes import ChangePublisher

        return ChangePublisher(eventbridge(), settings(PublisherSettings).event_bus)

    @cached_property
    def ingestion_queue(self) -> "IngestionQueue":
        """The queue that feeds the ingestion function."""
        from infra.ingestion_queue import IngestionQueue

        return IngestionQueue(sqs(), settings(IngestionSettings).ingestion_queue_url)

    @cached_property
    def dead_letters(self) -> "DeadLetterQueues":
        """The dead letter queues."""
        from infra.dead_letter_queues import DeadLetterQueues
        from infra.dead_letters import QUEUES

        chosen = settings(DeadLetterSettings)
        urls = {queue: getattr(chosen, f"{queue}_dead_letter_queue_url") for queue in QUEUES}
        return DeadLetterQueues(sqs(), urls, chosen.ingestion_queue_url)

    @cached_property
    def dead_letter_reasons(self) -> "Reasons":
        """What finds out why messages became dead letters."""
        from infra.contracts.trail_store import TrailStore
        from infra.dead_letter_reasons import Reasons

        # Without the audit there are no rows to find.
        trails = TrailStore(dynamodb(), settings(Settings).contracts_table)
        return Reasons(self.contracts, trails, self.meters)

    @cached_property
    def meters(self) -> "MeterStore":
        """The register of smart meters."""
        from infra.meters.meter_store import MeterStore

        return MeterStore(dynamodb(), settings(ReadingSettings).readings_table)

    @cached_property
    def readings(self) -> "ReadingStore":
        """Readings of smart meters."""
        from infra.meters.reading_store import ReadingStore

        return ReadingStore(dynamodb(), settings(ReadingSettings).readings_table)

    @cached_property
    def exports(self) -> "ExportStore":
        """Export jobs."""
        from infra.exports.job_store import ExportStore

        table = settings(ExportQueueSettings).export_jobs_table
        return ExportStore(dynamodb(), table, fresh_id=lambda: uuid4().hex)

    @cached_property
    def export_queue(self) -> "ExportQueue":
        """The queue of export jobs."""
        from infra.exports.queue import ExportQueue

        return ExportQueue(sqs(), settings(ExportQueueSettings).export_queue_url)

    @cached_property
    def export_files(self) -> "ExportFiles":
        """The files of exports."""
        from infra.exports.files import ExportFiles

        return ExportFiles(s3(), settings(ExportSettings).export_bucket)

    @cached_property
    def contract_lines(self) -> "ContractLines":
        """What makes files of contracts."""
        from infra.exports.contract_lines import ContractLines

        return ContractLines(self.contracts, self.trails if settings(Settings).enable_event_audit else None)

    @cached_property
    def users(self) -> "UserStore":
        """Users."""
        from infra.users.user_store import UserStore

        return UserStore(dynamodb(), settings(ApiSettings).users_table)

    @cached_property
    def sessions(self) -> "SessionStore":
        """Sessions of users."""
        from infra.users.session_store import SessionStore

        return SessionStore(dynamodb(), settings(ApiSettings).users_table)

    @cached_property
    def api_keys(self) -> "ApiKeyStore":
        """API keys of users."""
        from infra.users.api_key_store import ApiKeyStore

        return ApiKeyStore(dynamodb(), settings(ApiSettings).users_table)

    @cached_property
    def throttles(self) -> "ThrottleStore":
        """The counters of logins and other attempts."""
        from infra.users.login_throttle import ThrottleStore

        return ThrottleStore(dynamodb(), settings(ApiSettings).throttles_table)

    @cached_property
    def tokens(self) -> "Tokens":
        """Issues and reads access and refresh tokens."""
        from infra.secrets import signing_keys
        from infra.users.tokens import PURPOSE, Tokens

        return Tokens(lambda: signing_keys(settings(ApiSettings).signing_secret, PURPOSE))

    @cached_property
    def cursors(self) -> "Cursors":
        """Signs and verifies list cursors; it reads the secret only when a cursor is used."""
        from infra.cursors import Cursors
        from infra.secrets import signing_secret

        return Cursors(lambda: signing_secret(settings(ApiSettings).signing_secret))

    @cached_property
    def idempotency(self) -> "IdempotencyStore":
        """Idempotency keys and the answers given under them."""
        from infra.idempotency import IdempotencyStore

        return IdempotencyStore(dynamodb(), settings(ApiSettings).idempotency_table)


@cache
def stores() -> Stores:
    """Return the stores of this process."""
    return Stores()
