"""Contracts in DynamoDB: their items, the events applied to them, their trails, and the changes that are published."""
