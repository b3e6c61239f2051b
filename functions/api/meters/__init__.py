"""Routes of smart meters and their readings."""
