"""Delays between attempts."""

import random

from lambda_app.core.backoff import Backoff


def test_backoff_grows_to_its_cap() -> None:
    backoff = Backoff(0.1, 5, random.Random(1))

    delays = [backoff.next_delay() for _ in range(100)]

    assert 0.05 <= delays[0] <= 0.1
    assert all(2.5 <= delay <= 5 for delay in delays[10:])
    assert len(set(delays[10:])) > 50


def test_backoff_starts_again_after_a_reset() -> None:
    backoff = Backoff(0.1, 5)
    for _ in range(2000):
        backoff.next_delay()

    backoff.reset()

    assert backoff.next_delay() <= 0.1
