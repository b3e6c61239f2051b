"""Receives the events of the bus from the ingestion queue and applies them."""
