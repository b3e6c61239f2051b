"""The log lines of messages that fail: a warning at each receive that may help, and one error when none is left."""

from infra.telemetry import count, logger, reason_of
from infra.time_left import NoTimeError
from infra.write_outcomes import OutcomeUnknownError, WriteFailedError


def log_failure(error: Exception, *, is_last: bool, is_final: bool) -> None:
    """Log why a message is not done.

    On its last receive that is one error, and the message becomes a dead letter. Before that it is a warning, but
    nothing where the reason will not change (`is_final`) or was only a lack of time, which the batch logs.
    """
    if isinstance(error, OutcomeUnknownError):
        count("OutcomeUnknown")
    if is_last:
        reason = str(error) if is_final else reason_of(error)
        is_expected = is_final or isinstance(error, (NoTimeError, WriteFailedError))
        logger.error("Message rejected", reason=reason, exc_info=None if is_expected else error)
    elif not is_final and not isinstance(error, NoTimeError):
        is_unknown = isinstance(error, OutcomeUnknownError)
        logger.warning("Outcome unknown" if is_unknown else "Message not applied", reason=reason_of(error))
