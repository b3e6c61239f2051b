"""AWS sessions for commands that must not read the developer's own AWS files."""

import os

import botocore.session


def isolated_session() -> botocore.session.Session:
    """Return a session that reads neither the developer's profile nor any file of theirs."""
    nowhere = (None, None, os.devnull, None)
    variables = {"profile": (None, None, None, None), "config_file": nowhere, "credentials_file": nowhere}
    return botocore.session.Session(session_vars=variables)
