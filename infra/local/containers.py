"""What functions in containers (`sam local`) are told, so that they find the emulated AWS of a run."""

import re

from infra.local.cloud import Emulator
from infra.local.deploy import environment_of, functions_of
from infra.local.processes import LOOPBACK

_HOST = "host.docker.internal"  # this machine, as containers call it; see add_host in samconfig.toml


def variables(cloud: Emulator) -> dict[str, dict[str, str]]:
    """Return each function's environment under its logical id: the form of SAM CLI's --env-vars."""
    endpoint = f"http://{_HOST}:{cloud.port}" if cloud.host == LOOPBACK else cloud.url
    # A queue keeps the address that the emulated AWS had when the queue was made.
    here = re.compile(rf"^http://[^/:]+:{cloud.port}(?=/)")
    return {
        logical_id: {
            **{variable: here.sub(endpoint, value) for variable, value in given.items()},
            "AWS_ENDPOINT_URL": endpoint,
        }
        for logical_id, name in functions_of(cloud).items()
        for given in [environment_of(cloud, name)]
    }
