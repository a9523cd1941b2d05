"""Many values at once, although some are bad: each is judged, in order, and few are judged one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_app.core.transaction.halving import by_halves

COUNT = 1000


class Fault(Exception):
    """A value is bad."""


class Taker:
    """Takes ranges of values without a bad one, and single ones."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        # What was taken, in the order in which it came.
        self.taken: list[int] = []
        self.judged_alone: list[int] = []

    def take_all(self, start: int, end: int) -> None:
        if self.bad & set(range(start, end)):
            raise Fault
        self.taken += range(start, end)

    def take_each(self, start: int, end: int) -> None:
        self.taken += range(start, end)
        self.judged_alone += range(start, end)


def halve(bad: set[int], count: int = COUNT) -> Taker:
    taker = Taker(bad)
    by_halves(0, count, taker.take_all, taker.take_each, (Fault,))
    return taker


def test_all_good_values_are_taken_at_once() -> None:
    taker = halve(set())

    assert taker.taken == list(range(COUNT))
    assert taker.judged_alone == []


@settings(max_examples=200)
@given(bad=st.sets(st.integers(0, COUNT - 1), max_size=20))
def test_each_value_is_taken_once_in_order_and_the_bad_ones_alone(bad: set[int]) -> None:
    taker = halve(bad)

    assert taker.taken == list(range(COUNT))
    assert bad <= set(taker.judged_alone)


def test_one_bad_value_has_few_judged_one_by_one() -> None:
    taker = halve({617})

    assert 617 in taker.judged_alone
    assert len(taker.judged_alone) <= 32


def test_few_values_are_judged_at_once_when_one_is_bad() -> None:
    taker = halve({3}, count=32)

    assert taker.judged_alone == list(range(32))


def test_no_value_is_no_work() -> None:
    assert halve(set(), count=0).taken == []


def test_error_that_is_no_fault_goes_on_up() -> None:
    def broken(start: int, end: int) -> None:
        raise KeyError(start)

    with pytest.raises(KeyError):
        by_halves(0, COUNT, broken, pytest.fail, (Fault,))
