"""Runs exports and their peer in a process of its own, and prints what they took.

Arguments, as JSON: the endpoints of DynamoDB and S3, the days of each export, how often, and the days of the peer.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import exports as bench


def main() -> None:
    """Run each export and the peer alternately; print CPU seconds, rows, and by how many MiB the peak memory grew."""
    order = json.loads(sys.argv[1])
    keys = {f"AWS_{name}": "testing" for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")}
    dynamodb, s3 = (
        bench.client(service, keys | {"AWS_ENDPOINT_URL": order[service]}) for service in ("dynamodb", "s3")
    )
    exporter = bench.Exporter(dynamodb, s3)
    exporter.run(bench.METERED, bench.days(1))  # opens the connections
    peak = bench.peak_mebibytes()
    found: dict[str, list[float]] = {}
    rows: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(order["rounds"]):
            for days in order["days"]:
                begun = time.process_time()
                rows[str(days)] = exporter.run(bench.METERED, bench.days(days))
                found.setdefault(str(days), []).append(time.process_time() - begun)
            if order["peer"]:
                begun = time.process_time()
                rows["peer"] = bench.one_item_each(dynamodb, Path(folder, "items.csv"))
                found.setdefault("peer", []).append(time.process_time() - begun)
    print(json.dumps({"cpu": found, "rows": rows, "growth": bench.peak_mebibytes() - peak}))


if __name__ == "__main__":
    main()
