"""Publishes changes of timelines on the bus, from the stream of the contracts table."""
