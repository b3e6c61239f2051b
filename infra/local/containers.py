"""What functions in containers (`sam local`) are told, so that they find the emulated AWS of a run."""

from infra.local.cloud import Emulator
from infra.local.deploy import environment_of, functions_of

HOST = "host.docker.internal"  # this machine, as containers call it; see add_host in samconfig.toml


def variables(cloud: Emulator) -> dict[str, dict[str, str]]:
    """Return each function's environment under its logical id: the form of SAM CLI's --env-vars."""
    endpoint = f"http://{HOST}:{cloud.port}"
    return {
        logical_id: {
            **{name: value.replace(cloud.url, endpoint) for name, value in given.items()},
            "AWS_ENDPOINT_URL": endpoint,
        }
        for logical_id, function in functions_of(cloud).items()
        for given in [environment_of(cloud, function)]
    }
