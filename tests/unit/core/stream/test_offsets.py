"""Where reading goes on, and what is said to be lost."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.stream.offsets import Gap, Resumption, StoredPosition, fingerprint, resume_position

OLD, NEW = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("stored", "log", "expected"),
    [
        # The first reading of a partition.
        (None, (0, 100), Resumption(0)),
        (None, (40, 100), Resumption(40, (Gap(0, 40, NEW, "removed by retention before it was read"),))),
        # As left.
        (StoredPosition(50, NEW), (0, 100), Resumption(50)),
        (StoredPosition(100, NEW), (0, 100), Resumption(100)),
        (StoredPosition(50, NEW), (50, 50), Resumption(50)),
        # A row from before the broker told topic ids.
        (StoredPosition(50, None), (0, 100), Resumption(50)),
        # Retention was faster than we.
        (
            StoredPosition(50, NEW),
            (80, 100),
            Resumption(80, (Gap(50, 80, NEW, "removed by retention before it was read"),)),
        ),
        # Shorter than what we read: all is read again, since what is there may be new.
        (
            StoredPosition(50, NEW),
            (10, 30),
            Resumption(10, (Gap(30, None, NEW, "the log was cut off below our offset 50"),)),
        ),
        # Another topic of the same name, even when our offset fits into it.
        (
            StoredPosition(50, OLD),
            (0, 100),
            Resumption(0, (Gap(50, None, OLD, "the topic was deleted and recreated"),)),
        ),
        (
            StoredPosition(50, OLD),
            (7, 100),
            Resumption(
                7,
                (
                    Gap(50, None, OLD, "the topic was deleted and recreated"),
                    Gap(0, 7, NEW, "removed by retention before it was read"),
                ),
            ),
        ),
    ],
)
def test_resume_position_says_where_and_what_is_lost(
    stored: StoredPosition | None, log: tuple[int, int], expected: Resumption
) -> None:
    assert resume_position(stored, *log, NEW) == expected


offsets = st.integers(0, 50)


@given(st.none() | st.builds(StoredPosition, offsets, st.sampled_from([None, OLD, NEW])), offsets, offsets)
def test_resume_position_never_skips_silently(stored: StoredPosition | None, start: int, length: int) -> None:
    end = start + length

    resumption = resume_position(stored, start, end, NEW)

    assert start <= resumption.position <= end
    same_topic = stored is not None and stored.topic_id != OLD
    read_before = stored.next_offset if stored and same_topic else 0
    said = sum(gap.unread_count for gap in resumption.gaps)
    assert said == max(0, resumption.position - read_before)
    assert resumption.gaps or resumption.position == read_before


def test_fingerprint_tells_key_from_value() -> None:
    records = [
        (None, b""),
        (b"", None),
        (b"", b""),
        (None, None),
        (b"a", b"b"),
        (b"ab", b""),
        (b"", b"ab"),
        (b"-", b"b"),
    ]

    assert len({fingerprint(key, value) for key, value in records}) == len(records)
    assert len(fingerprint(b"key", b"value")) == 16


def test_log_that_holds_another_record_than_we_read_is_read_again() -> None:
    stored = StoredPosition(50, NEW, b"hash")
    reason = "the log was cut off and filled again: the record before our offset 50 is another"

    assert resume_position(stored, 10, 100, NEW, is_refuted=True) == Resumption(10, (Gap(10, None, NEW, reason),))
