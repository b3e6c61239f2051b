"""The console: static files that show in a browser what the API knows."""
