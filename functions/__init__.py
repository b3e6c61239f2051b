"""What AWS calls: the HTTP API and the functions behind queues, streams and schedules. They only translate."""

import gc

_USUAL_THRESHOLDS = gc.get_threshold()
# Imports create many objects and no garbage: the collector would search them again and again.
gc.set_threshold(1_000_000)


def finish_imports() -> None:
    """Collect garbage as usual from now on, but never search what the imports have created; each handler ends with this."""
    gc.freeze()
    gc.set_threshold(*_USUAL_THRESHOLDS)
