"""Routes of dead letters: messages that the service could not deliver, apply, publish or export."""
