"""Export jobs: their items, their queue, their files."""
