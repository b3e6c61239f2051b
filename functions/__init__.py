"""What AWS calls: the HTTP API and the functions behind queues, streams and schedules. They only translate."""

import gc

# A cold start creates many objects and hardly any garbage: the default of 2,000 would search them again and again.
gc.set_threshold(100_000)
