"""The service on one machine: an emulated AWS with the real template, the API process, and commands that use them."""
