"""The environment of functions in containers (`sam local`), with which they reach the emulated AWS of a run."""

from infra.local.deploy import environment_of, functions_of
from infra.local.emulator import Emulator

HOST = "host.docker.internal"  # the name of this machine in containers; see add_host in samconfig.toml


def variables(cloud: Emulator, bind_host: str = "") -> dict[str, dict[str, str]]:
    """Return each function's environment by its logical id, in the form of SAM CLI's --env-vars.

    With `bind_host`, URLs that functions sign name this address: this machine can open them too, unlike those of HOST.
    """
    endpoint = f"http://{bind_host or HOST}:{cloud.port}"
    return {
        logical_id: {
            **{name: value.replace(cloud.url, endpoint) for name, value in given.items()},
            "AWS_ENDPOINT_URL": endpoint,
        }
        for logical_id, function in functions_of(cloud).items()
        for given in [environment_of(cloud, function)]
    }
