"""Contracts: their components, the events that start and end these, and what follows from the events."""
