"""What AWS calls: the HTTP API and the functions behind queues, streams and schedules. They only translate."""
