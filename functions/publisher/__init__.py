"""Tells the bus what changed, from the stream of the table of contracts."""
