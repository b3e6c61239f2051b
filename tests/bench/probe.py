"""Starts one function in a fresh process as Lambda does, calls it, and prints what each part took.

It runs with nothing on its path but an artifact, so it imports only the standard library and the function.
"""

import json
import os
import sys
import time

_SENT_AT = "2023-12-01T09:30:00Z"


class Context:
    """The part of Lambda's context that the functions read."""

    aws_request_id = "c2f1d0a2-0f0e-4d0c-8f0a-2f1f2a9e0000"
    function_name = "bench"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:111122223333:function:bench"
    memory_limit_in_mb = 1024

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return the milliseconds until the function is stopped."""
        return 30_000


def _events(text: str, count: int, day: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - typing is not imported
    """Yield the call `count` times, each with an event that is a second newer."""
    for number in range(count):
        at = f"2024-12-{day:02}T{number // 3600 + 1:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        yield json.loads(text.replace(_SENT_AT, at) if number else text)


def main() -> None:
    """Import the handler, call it, and report; then leave without cleaning up, as Lambda does.

    If the order says so, each line of the input asks for some of the calls, and gets a report of its own.
    """
    order = json.loads(sys.argv[1])
    module_name, _, name = order["handler"].rpartition(".")
    output, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115, PTH123 - no import more than needed
    threads = []
    if order["watch_threads"]:
        sys.addaudithook(
            lambda event, _: threads.append(event) if event.startswith("_thread.start") else None
        )
    handler = getattr(__import__(module_name, fromlist=[name]), name)
    events = _events(json.dumps(order["event"]), order["count"], order["day"])
    for count in map(int, sys.stdin) if order["in_turns"] else [order["count"]]:
        cpu, wall = [time.process_time()], [time.perf_counter()]
        for _ in range(count):
            answer = handler(next(events), Context())
            cpu.append(time.process_time())
            wall.append(time.perf_counter())
            status = answer.get("statusCode", 200) if isinstance(answer, dict) else 200
            if status >= 300 or (isinstance(answer, dict) and answer.get("batchItemFailures")):
                sys.exit(f"{order['handler']} answered {answer}")
        report = {"cpu": cpu, "wall": wall, "modules": len(sys.modules), "threads": len(threads)}
        output.write(json.dumps(report) + "\n")
        output.flush()
    os._exit(0)


main()
