"""The portfolio: the components of all contracts at once, by the dates on which they start and end."""
