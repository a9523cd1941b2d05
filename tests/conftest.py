"""What all tests share: fixtures of servers, and property tests that measure rules, not the speed of the machine."""

import signal

from hypothesis import HealthCheck, settings

# A job that a script starts in the background ignores Ctrl-C, and so would every program that a test starts and
# interrupts: what is ignored stays so in a child.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("platform", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("platform")

pytest_plugins = ["tests.support.fixtures"]
