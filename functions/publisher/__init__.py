"""Publishes what changed on the bus, from the stream of the table of contracts."""
