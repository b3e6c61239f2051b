"""Routes of the portfolio: all contracts at once."""
