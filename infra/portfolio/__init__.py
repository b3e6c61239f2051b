"""The portfolio in DynamoDB: a read model of all contracts, and the log of decided events by day."""
