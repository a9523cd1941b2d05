"""TransactionIds: unique, and sorted as text in the order of making."""

from itertools import pairwise

import pytest

from lambda_app.core.transaction.identifiers import IDS_PER_MILLISECOND, TransactionIds

NOW = 1_795_508_080_123


def test_ids_have_time_counter_and_process():
    ids = TransactionIds(process=0xABC).take(NOW, 2)

    assert ids == ["TXN-20261124081440123-0000000000000abc", "TXN-20261124081440123-0001000000000abc"]


def test_ids_are_ordered_and_unique_over_two_hundred_thousand():
    # The counter makes an id unique within its millisecond and the time among them, so a sorted run of this size
    # stands for one of any size.
    ids = TransactionIds(process=1)

    made = [each for number in range(200) for each in ids.take(NOW + number // 2, 1000)]

    assert all(earlier < later for earlier, later in pairwise(made))


def test_full_millisecond_borrows_from_the_next():
    made = TransactionIds(process=1).take(NOW, IDS_PER_MILLISECOND + 2)

    assert all(earlier < later for earlier, later in pairwise(made))
    assert made[-1].startswith("TXN-20261124081440124-0001")


def test_ids_go_on_when_the_clock_is_set_back():
    ids = TransactionIds(process=1)

    before = ids.take(NOW, 1)
    after = ids.take(NOW - 60_000, 1)

    assert before < after


def test_two_processes_never_make_the_same_id():
    here, there = TransactionIds(process=1), TransactionIds(process=2)

    assert not set(here.take(NOW, 100)) & set(there.take(NOW, 100))


def test_process_part_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="12 hexadecimal digits"):
        TransactionIds(process=16**12)
