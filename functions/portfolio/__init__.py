"""Keeps the portfolio up to date with the stream of the table of contracts."""
