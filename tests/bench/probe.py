"""Starts one function in a fresh process as Lambda does, calls it, and prints the CPU seconds of each part.

It runs with nothing on its path but an artifact, so it imports only the standard library and the function.
"""

import json
import os
import sys
import time


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


def main() -> None:
    """Import the handler, call it, and report; then leave without cleaning up, as Lambda does."""
    order = json.loads(sys.argv[1])
    module_name, _, name = order["handler"].rpartition(".")
    output, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115, PTH123 - no import more than needed
    module = __import__(module_name, fromlist=[name])
    if order.get("snapshot"):
        __import__("snapshot_restore_py")  # what Lambda's runtime runs before it takes a snapshot
        for hook, arguments, options in sys.modules["snapshot_restore_py"].get_before_snapshot():
            hook(*arguments, **options)
    handler = getattr(module, name)
    seconds = [time.process_time()]
    for event in order["events"]:
        answer = handler(event, Context())
        seconds.append(time.process_time())
        status = answer.get("statusCode", 200) if isinstance(answer, dict) else 200
        if status >= 300 or (isinstance(answer, dict) and answer.get("batchItemFailures")):
            sys.exit(f"{order['handler']} answered {answer}")
    output.write(json.dumps({"seconds": seconds, "modules": len(sys.modules)}))
    output.flush()
    os._exit(0)


main()
