"""Makes export files: a worker behind a queue, and a sweep that recovers jobs nobody works on."""
