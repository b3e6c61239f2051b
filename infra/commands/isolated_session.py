"""AWS sessions for commands that must not read the developer's own AWS files."""

import os

import botocore.session


def isolated_session() -> botocore.session.Session:
    """Return a session that reads neither the developer's AWS profile nor their AWS files."""
    no_file = (None, None, os.devnull, None)
    variables = {"profile": (None, None, None, None), "config_file": no_file, "credentials_file": no_file}
    return botocore.session.Session(session_vars=variables)
