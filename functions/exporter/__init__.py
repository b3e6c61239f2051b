"""Makes export files: a worker behind a queue, and a sweep that looks after jobs left alone."""
