"""What AWS calls: the HTTP API. It only translates; the rules are in `domain`."""
