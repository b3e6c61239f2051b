"""Routes of users, logins, sessions and API keys."""
