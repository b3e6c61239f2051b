"""Users and what proves who they are: passwords, sessions, access tokens, API keys."""
