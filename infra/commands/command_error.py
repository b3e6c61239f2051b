"""The error that a command shows to the person who typed it."""


class CommandError(Exception):
    """A mistake that the person can correct; its text is the one line they read."""
