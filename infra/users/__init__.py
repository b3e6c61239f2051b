"""Users and their credentials: passwords, sessions, tokens and API keys."""
