"""One attempt at one export: claim, write, complete; it may be interrupted anywhere."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from domain import export_changes, exports
from domain.export_changes import MAX_ATTEMPTS, Refusal
from domain.exports import (
    EXPORT_FAILED,
    FILE_LIFETIME,
    SETTLING,
    ContractsOrder,
    ExportFile,
    ExportJob,
    Format,
)
from domain.meters.csv_format import TIMESTAMP_LENGTH, header
from domain.meters.local_periods import Resolution
from domain.meters.readings import Meter, format_timestamp
from domain.meters.summaries import stream_summaries
from domain.meters.summary_csv import SUMMARY_HEADER, format_summary
from domain.meters.time_zones import DEFAULT_ZONE, UnsupportedZoneError, zone
from infra.exports.contract_lines import HEADER as CONTRACTS_HEADER
from infra.exports.contract_lines import ContractLines
from infra.exports.files import ExportFiles, Upload, Written
from infra.exports.job_store import ExportStore
from infra.meters.meter_store import MeterStore
from infra.meters.reading_sums import SumQueries
from infra.telemetry import count, logger


class LeasedError(Exception):
    """Another attempt at the job is running: the message has to be delivered again later."""


class StoppedError(Exception):
    """The job was cancelled, or taken over by another attempt, while this one worked on it."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Worker:
    """Makes the files of export jobs, and reports progress at most every `report_every`."""

    jobs: ExportStore
    meters: MeterStore
    readings: SumQueries
    files: ExportFiles
    report_every: timedelta = timedelta(seconds=1)
    now: Callable[[], datetime] = field(default=_utc_now)
    sleep: Callable[[float], None] = time.sleep
    contracts: Callable[[], ContractLines] | None = None

    def run(self, job_id: str, *, is_last_receive: bool) -> None:
        """Make an attempt at a job, unless it is finished or another attempt owns it.

        Raises:
            LeasedError: another attempt is running.
            Exception: this attempt failed, and another one has to be made.
        """
        job = self.jobs.change(job_id, lambda job: export_changes.claim(job, self.now()))
        if isinstance(job, Refusal):
            self._leave(job_id, job, is_last_receive=is_last_receive)
            return
        try:
            self._attempt(job)
        except StoppedError as reason:
            logger.info("Export stopped", job_id=job_id, attempt=job.attempt, reason=str(reason))
        except Exception:
            logger.exception("Export attempt failed", job_id=job_id, attempt=job.attempt)
            if not is_last_receive and job.attempt < MAX_ATTEMPTS:
                self._change(job, export_changes.release)
                raise
            self._fail(job)

    def _leave(self, job_id: str, refusal: Refusal, *, is_last_receive: bool) -> None:
        logger.info("Export not claimed", job_id=job_id, reason=refusal)
        if refusal is Refusal.LEASED and not is_last_receive:
            raise LeasedError(job_id)
        if refusal is Refusal.EXHAUSTED:
            self.jobs.change(job_id, lambda job: export_changes.recover(job, self.now()))

    def _attempt(self, job: ExportJob) -> None:
        if job.attempt > 1:
            self.files.clear(exports.folder_of(job.id))
        if job.contracts:
            with self.files.create(job.key) as upload:
                written = self._write_contracts(job, job.contracts, upload)
            self._complete(job, ExportFile(job.key, *written, expires_at=self.now() + FILE_LIFETIME))
            return
        meter = self.meters.get(job.meter_id)
        if meter is None:
            self._change(job, export_changes.fail, exports.meter_not_found(job.meter_id))
            return
        try:
            with self.files.create(job.key) as upload:
                self._write(job, meter, upload)
                written = upload.finish()
        except UnsupportedZoneError as error:
            self._change(job, export_changes.fail, exports.time_zone_unsupported(str(error)))
            return
        self._complete(job, ExportFile(job.key, *written, expires_at=self.now() + FILE_LIFETIME))

    def _write(self, job: ExportJob, meter: Meter, upload: Upload) -> None:
        self._wait_until_settled(job)
        is_raw = job.resolution is Resolution.RAW
        upload.write(header(job.columns) if is_raw else SUMMARY_HEADER)
        reported_at = self.now()
        for timestamp, lines in self._lines(job, meter) if is_raw else self._summaries(job, meter):
            if lines:
                upload.write(lines)
            if self.now() - reported_at >= self.report_every:
                _unless_refused(self._change(job, export_changes.report, _progress(job, timestamp)))
                reported_at = self.now()

    def _lines(self, job: ExportJob, meter: Meter) -> Iterator[tuple[bytes, bytes]]:
        """Yield the lines of each hour, with their first timestamp."""
        for lines in self.readings.lines(meter, job.period, job.columns, job.known_at):
            yield lines[:TIMESTAMP_LENGTH], lines

    def _summaries(self, job: ExportJob, meter: Meter) -> Iterator[tuple[bytes, bytes]]:
        """Yield for each hour its timestamp and the lines of the periods that end before it."""
        hours = self.readings.sums(meter, job.period, job.known_at)
        area = zone(job.timezone or meter.timezone or DEFAULT_ZONE)
        for at, summaries in stream_summaries(hours, area, job.resolution):
            lines = b"".join(format_summary(meter.id, summary) for summary in summaries)
            yield format_timestamp(at).encode(), lines

    def _wait_until_settled(self, job: ExportJob) -> None:
        """Wait for writes that may still be recorded at `known_at` or before."""
        if (
            job.known_at is not None
            and (seconds := (job.known_at + SETTLING - self.now()).total_seconds()) > 0
        ):
            self.sleep(seconds)

    def _write_contracts(self, job: ExportJob, order: ContractsOrder, upload: Upload) -> Written:
        assert self.contracts is not None  # noqa: S101 - the deployed worker has them
        lines = self.contracts()
        header_lines = 1 if order.format is Format.CSV else 0
        if header_lines:
            upload.write(CONTRACTS_HEADER)
        total, reported_at = lines.count(), self.now()
        for block in lines.blocks(order):
            upload.write(block.text)
            if self.now() - reported_at >= self.report_every:
                progress = min(99, 99 * block.contracts // max(1, total))
                _unless_refused(self._change(job, export_changes.report, progress))
                reported_at = self.now()
        return upload.finish(header_lines)

    def _complete(self, job: ExportJob, file: ExportFile) -> None:
        # If this raises, it may have been stored: the file stays, and the next attempt finds out.
        answer = self._change(job, export_changes.complete, file)
        if isinstance(answer, Refusal):
            self.files.delete(file.key)
        after = _unless_refused(answer)
        logger.info(
            "Export completed",
            job_id=job.id,
            attempt=job.attempt,
            record_count=file.record_count,
            file_size_bytes=file.size_bytes,
            seconds=(after.updated_at - after.created_at).total_seconds(),
        )
        count("ExportsCompleted")

    def _fail(self, job: ExportJob) -> None:
        if not isinstance(self._change(job, export_changes.fail, EXPORT_FAILED), Refusal):
            count("ExportsFailed")
            self.files.clear(exports.folder_of(job.id))

    def _change(
        self, job: ExportJob, decide: Callable[..., ExportJob | Refusal], *facts: object
    ) -> ExportJob | Refusal:
        """Store the job that `decide` returns, if this attempt still owns it."""
        return self.jobs.change(job.id, lambda stored: decide(stored, job.attempt, *facts, self.now()))


def _unless_refused(answer: ExportJob | Refusal) -> ExportJob:
    if isinstance(answer, Refusal):
        raise StoppedError(answer)
    return answer


def _progress(job: ExportJob, timestamp: bytes) -> int:
    """Return the percentage of the period that lies before `timestamp`; 100 is for a finished job."""
    at = datetime.fromisoformat(timestamp.decode())
    return max(0, int(99 * ((at - job.period.start) / (job.period.end - job.period.start))))
