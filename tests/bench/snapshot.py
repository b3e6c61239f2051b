"""What the first request after a snapshot has left to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.users import Role, Session, User
from infra.secrets import SigningKey, _derive
from infra.users.tokens import PURPOSE, Claims, Kind, Tokens
from infra.users.user_items import to_session_item, to_user_item
from tests.bench import starts
from tests.bench.fresh import Start, measure
from tests.bench.results import Bench, Ratio, Section, milliseconds, ratio_of
from tests.bench.stub import SECRET, stub_of_aws

TEXT = """With SnapStart, Lambda initialises the API once for each release and starts every environment from that snapshot. CPU
time of the first request after the initialisation, an event of a user with an access token: with nothing prepared it
creates the clients, imports PyJWT, reads the signing secret and builds the middleware; `functions/api/snapshot.py` does
these before the snapshot is taken. The third request shows what always remains."""

_BEFORE, _AFTER, _THIRD = "not prepared", "prepared", "third request"


def run(bench: Bench) -> Section:
    """Measure the first request after the initialisation, prepared and not."""
    start = _start(bench)
    prepared = {**start.environment, "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    wanted = [replace(start, name=_BEFORE), replace(start, name=_AFTER, environment=prepared)]
    with stub_of_aws() as aws:
        runs = measure(wanted, 4 if bench.short else 11, aws, bench.progress)
    first = {name: [run.calls[0] for run in found] for name, found in runs.items()}
    first[_THIRD] = [run.calls[2] for run in runs[_AFTER]]
    return Section(
        "After a snapshot",
        TEXT,
        ("First request", "CPU", "ratio to not prepared"),
        [
            [name, milliseconds(found), f"{ratio_of(found, first[_BEFORE]):.2f}"]
            for name, found in first.items()
        ],
        [
            Ratio(
                "first request after a snapshot, prepared",
                ratio_of(first[_AFTER], first[_BEFORE]),
                0.5,
                guarded=True,
            )
        ],
        samples=first,
    )


def _start(bench: Bench) -> Start:
    """Return the API with a user and a session in its table, and a call with that session's token."""
    now = datetime.now(UTC)
    user = User("0" * 32, "bench", "bench@example.com", now, now, "-", role=Role.OPERATOR)
    session = Session.of(user, "1" * 32, "2" * 32, now)
    tokens = Tokens(_keys)
    claims = Claims(user.id, session.id, "3" * 32)
    token = tokens.issue(Kind.ACCESS, claims, now - timedelta(minutes=1), now + timedelta(hours=1))
    call = starts.request()
    call["headers"]["authorization"] = f"Bearer {token}"
    items = [("users", to_user_item(user)), ("users", to_session_item(session))]
    ours = starts.functions(bench.artifacts)[0]
    environment = {**ours.environment, "AUTH_MODE": "required"}
    return replace(ours, event=call, items=items, environment=environment, count=3)


def _keys() -> tuple[SigningKey, ...]:
    return (_derive(SECRET.encode(), PURPOSE),)
