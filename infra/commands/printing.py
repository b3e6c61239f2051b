"""What commands print of texts that others wrote."""


def printable(text: str) -> str:
    """Return `text` without control characters, which a terminal would execute."""
    return "".join(character if character.isprintable() else "?" for character in text)
