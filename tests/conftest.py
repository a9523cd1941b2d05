"""What all tests share: property tests measure rules, not the speed of the machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("platform", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("platform")
