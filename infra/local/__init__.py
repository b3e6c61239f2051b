"""The service on one machine: an emulated AWS with the real template deployed, and the API before it."""
