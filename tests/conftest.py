"""What all tests share: fixtures of servers, and property tests that measure rules, not the speed of the machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("platform", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("platform")

pytest_plugins = ["tests.support.fixtures"]
