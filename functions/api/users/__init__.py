"""Routes of users, logins and API keys."""
