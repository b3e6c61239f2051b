"""What all commands that a person types have in common: their errors, their child processes."""
