"""Routes of contracts, their events, timelines and trails."""
