"""Waiting for PostgreSQL: longer each time, from the start again after an answer, up to a limit."""

import logging
from collections.abc import Callable

import pytest

from lambda_app import settings
from lambda_app.database.patience import Patience, is_outage, patiently
from lambda_app.errors import AccessRefused, DatabaseUnavailable, LambdaError
from tests.support.clock import MovedClock


def failing(count: int, error: LambdaError, answer: str = "done") -> Callable[[], str]:
    """Work that fails so many times before it is done."""
    left = [error] * count

    def work() -> str:
        if left:
            raise left.pop()
        return answer

    return work


def test_work_is_done_again_until_postgres_is_back(caplog: pytest.LogCaptureFixture) -> None:
    clock = MovedClock()

    assert patiently(failing(3, DatabaseUnavailable("gone")), clock, "The work waits") == "done"

    assert caplog.messages == ["The work waits: gone"] * 3
    assert caplog.records[0].levelno == logging.WARNING
    # 0.1, 0.2 and 0.4 s, each shortened by up to a half.
    assert 0.35 <= clock.seconds - 100 <= 0.7


def test_other_errors_are_not_waited_for() -> None:
    clock = MovedClock()

    with pytest.raises(AccessRefused, match="wrong password"):
        patiently(failing(1, AccessRefused("wrong password")), clock, "The work waits")

    assert clock.seconds == 100


def test_wait_that_would_end_after_the_limit_gives_the_last_error() -> None:
    clock = MovedClock()

    with pytest.raises(DatabaseUnavailable, match="gone"):
        patiently(failing(10**6, DatabaseUnavailable("gone")), clock, "The work waits", limit_seconds=20)

    assert 20 - settings.BACKOFF_CAP_SECONDS <= clock.seconds - 100 <= 20


def test_waits_are_short_again_after_an_answer() -> None:
    clock = MovedClock()
    patience = Patience(clock, "The work waits")
    for _ in range(10):
        patience.wait(DatabaseUnavailable())
    before = clock.seconds

    patience.reset()
    patience.wait(DatabaseUnavailable())

    assert clock.seconds - before <= settings.BACKOFF_FIRST_SECONDS


def test_error_of_another_kind_is_no_outage() -> None:
    assert not is_outage(LambdaError("its file is gone"))
    assert not is_outage(OSError("the disk is full"))
    # Without a word of PostgreSQL, and of no connection.
    assert not is_outage(DatabaseUnavailable("gone"))
