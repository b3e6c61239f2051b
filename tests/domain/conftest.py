"""Settings of the generated cases."""

from hypothesis import settings

# How long a case takes depends on the other processes of the machine; speed is measured in tests/bench.
settings.register_profile("without deadline", settings.get_profile("default"), deadline=None)
settings.load_profile("without deadline")
