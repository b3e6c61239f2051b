"""What all commands that a person types share: their errors and their child processes."""
