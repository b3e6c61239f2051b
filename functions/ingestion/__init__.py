"""Takes the events of the bus from their queue and applies them."""
