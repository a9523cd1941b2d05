"""Pace: the rate holds over minutes, and a stall is not paid back in a burst."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.stream.rate import CATCH_UP_SECONDS, Pace

MANY = 1_000_000


@pytest.mark.parametrize("step", [0.001, 0.0137, 0.1, 0.9])
def test_pace_holds_over_a_minute_whatever_the_step(step):
    pace, now, taken = Pace(100, start=50.0), 50.0, 0

    while now < 110.0:
        taken += pace.take(now, MANY)
        now += step

    assert taken == pytest.approx(6000, abs=100 * step + 1)


def test_pace_sleeps_exactly_from_slot_to_slot():
    pace, now, taken = Pace(100, start=1000.3), 1000.3, 0

    while now < 1060.3 - 1e-6:
        taken += pace.take(now, MANY)
        now += pace.wait_seconds(now)

    assert taken == 6000


def test_pace_gives_up_what_a_stall_missed_beyond_a_second():
    pace = Pace(100, start=0.0)
    pace.take(0.0, MANY)

    after_stall = pace.take(30.0, MANY)

    assert after_stall == 100 * CATCH_UP_SECONDS
    assert pace.take(31.0, MANY) == 100


def test_pace_keeps_what_the_limit_left_due():
    pace = Pace(100, start=0.0)

    assert [pace.take(0.1, 4), pace.take(0.1, 4), pace.take(0.1, 4)] == [4, 4, 3]
    assert pace.wait_seconds(0.1) == pytest.approx(0.01)


def test_pace_of_less_than_one_a_second_still_moves():
    pace = Pace(0.1, start=0.0)

    assert [pace.take(now, MANY) for now in (0.0, 5.0, 10.0, 60.0, 65.0)] == [1, 0, 1, 1, 0]


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_pace_refuses_what_is_no_rate(rate):
    with pytest.raises(ValueError, match="above 0"):
        Pace(rate, start=0.0)


@given(
    rate=st.floats(0.5, 200_000),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=50),
    limit=st.integers(1, 10_000),
)
def test_pace_never_runs_ahead_of_its_rate(rate, pauses, limit):
    pace, now, taken = Pace(rate, start=0.0), 0.0, 0

    for pause in pauses:
        now += pause
        taken += pace.take(now, limit)

        assert taken <= now * rate + 1 + 1e-3
