"""The error that a command shows to the person who typed it."""


class CommandError(Exception):
    """Something a person can put right; its text is the one line they read."""
