"""The service's signing secret, from Secrets Manager."""

from aws_lambda_powertools.utilities import parameters

_KEEP_SECONDS = 300


def signing_secret(name: str) -> bytes:
    """Return the secret's value; it is asked for again after five minutes, so a rotation arrives."""
    return str(parameters.get_secret(name, max_age=_KEEP_SECONDS)).encode()
