"""Creates export files: a worker behind a queue, and a scheduled sweep that recovers jobs without a worker."""
