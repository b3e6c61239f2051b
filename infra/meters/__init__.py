"""Smart meters and their readings in DynamoDB."""
