"""What counts as a difference, what as a note, and what as neither."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from lambda_app.core.operate.audit_facts import (
    AuditedJob,
    BatchDay,
    DayComparison,
    Facts,
    GapTotal,
    LetterTotal,
    Position,
    RowTotal,
)
from lambda_app.core.operate.checks import audit
from lambda_app.core.stream.offsets import Log

ID, OTHER_ID = UUID(int=1), UUID(int=2)
DAY, DROPPED = date(2026, 6, 15), date(2026, 1, 1)
LOG = Log("t", ID, {0: (0, 100)})
# 90 stored, 6 duplicates, 1 dead letter, 3 in gaps.
POSITION = Position("t", 0, ID, 100, 90, 6, 1, 3, 0, 0)
JOB = AuditedJob("BAT00001", DAY, "generated", "completed", None, 12, 10, 1, 1)
EXACT = Facts(
    log=LOG,
    positions=(POSITION,),
    gaps=(GapTotal("t", 0, 3, 0),),
    letters=(LetterTotal("t", 0, None, 1, 0), LetterTotal(None, None, "BAT00001", 1, 0)),
    rows=(RowTotal(DAY, "STREAM", None, 90), RowTotal(DAY, "BATCH", "BAT00001", 10)),
    jobs=(JOB,),
    serving=(DayComparison(DAY, 100, 100, 7, 0),),
    batch_days=(BatchDay(DAY, 100, 100),),
)


def differences(facts: Facts) -> list[str]:
    return [line for check in audit(facts) for line in check.differences]


def notes(facts: Facts) -> list[str]:
    return [line for check in audit(facts) for line in check.notes]


def with_position(log: Log = LOG, **changes: Any) -> Facts:
    return replace(EXACT, log=log, positions=(replace(POSITION, **changes),))


def with_job(**changes: Any) -> Facts:
    return replace(EXACT, jobs=(replace(JOB, **changes),))


def test_all_accounted_for_is_exact() -> None:
    assert (differences(EXACT), notes(EXACT)) == ([], [])


def test_fresh_platform_is_exact() -> None:
    assert differences(Facts(LOG)) == []
    assert audit(Facts(LOG))[0].figures == "not read yet: offsets 0 to 100"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (with_position(next_offset=99), "t/0: 99 offsets were passed, 100 accounted for: 1 too many"),
        (with_position(duplicate=4), "t/0: 100 offsets were passed, 98 accounted for: 2 missing"),
        (with_position(skipped=1), "t/0: 100 offsets were passed, 101 accounted for: 1 too many"),
        (replace(EXACT, gaps=()), "t/0: gap_count is 3, stream_gaps add up to 0"),
        (with_position(Log("t", ID, {0: (0, 99)})), "t/0: next_offset 100 is beyond the end of Kafka's log, 99"),
        (with_position(Log("t", ID, {0: (102, 105)})), "t/0: Kafka removed 2 messages from offset 100 on, unread"),
        (with_position(Log("t", ID, {})), "t/0: Kafka has no such partition"),
        (with_position(topic_id=OTHER_ID), f"t/0: read from the topic {OTHER_ID}, Kafka's has the id {ID}"),
        (replace(EXACT, letters=EXACT.letters[1:]), "t/0: 1 dead letters were counted, 0 are kept"),
        (
            replace(EXACT, letters=(*EXACT.letters, LetterTotal("t", 8, None, 2, 0))),
            "t/8: 0 dead letters were counted, 2 are kept",
        ),
        (
            replace(EXACT, letters=(LetterTotal("t", 0, None, 1, 1), EXACT.letters[1])),
            "90 rows of the stream, 91 counted as stored: 1 missing",
        ),
        (replace(EXACT, serving=()), "the days of the recount do not cover all rows: 100 missing"),
        (
            replace(EXACT, batch_days=(BatchDay(DAY, 3, 4),)),
            f"batch_days of {DAY}: count is 3, batch_day_stats add up to 4",
        ),
        (replace(EXACT, impossible_speed_stats=2), "speed_stats: 2 rows have impossible counts"),
        (with_job(loaded=9, read=11), "rows of BAT00001, which loaded 9: 1 too many"),
        (with_job(read=13), "BAT00001 read 13 rows, and accounts for 10 loaded, 1 duplicate, 1 rejected"),
        (with_job(rejected=0, read=11), "BAT00001 rejected 0 rows, 1 dead letters of it are kept"),
        (with_job(status="failed"), "BAT00001 is failed, and 10 rows of it are stored"),
        (replace(EXACT, jobs=()), "10 rows of the batch are of no job: BAT00001"),
        (
            replace(EXACT, misplaced=(replace(JOB, file="a.csv"),)),
            "BAT00001 is completed, but its file is not there: done/BAT00001-a.csv",
        ),
        (
            replace(EXACT, changed=(replace(JOB, file="a.csv"),)),
            "done/BAT00001-a.csv has changed since BAT00001: systemctl start lambda-cron-runner loads the rest",
        ),
    ],
)
def test_difference_is_named_with_its_figures(facts: Facts, expected: str) -> None:
    assert differences(facts) == [expected]


def test_date_that_two_jobs_loaded_is_a_difference() -> None:
    again = replace(JOB, job_id="BAT00002", read=0, loaded=0, duplicate=0, rejected=0)

    assert differences(replace(EXACT, jobs=(JOB, again))) == [f"{DAY} was loaded by 2 jobs"]
    assert differences(replace(EXACT, jobs=(JOB, replace(again, source="bank")))) == []


def test_log_that_was_read_again_is_accounted_for() -> None:
    facts = with_position(next_offset=40, rewound=60)

    assert differences(facts) == []
    assert "60 read again" in audit(facts)[0].figures


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(EXACT, gaps=(GapTotal("t", 0, 3, 2),)), "what Kafka lost is unknown: of 2 gaps"),
        (with_position(skipped=3, duplicate=3), "3 offsets held no message"),
        (with_position(Log("other", ID, {})), "not compared with Kafka, where the topic is other now"),
        (with_position(Log("t", OTHER_ID, {})), "the topic was recreated with fewer partitions"),
    ],
)
def test_what_cannot_be_known_is_a_note(facts: Facts, expected: str) -> None:
    assert any(expected in note for note in notes(facts))
    assert differences(facts) == []


def test_topic_id_that_one_side_does_not_know_is_no_difference() -> None:
    assert differences(with_position(topic_id=None)) == []
    assert differences(with_position(replace(LOG, topic_id=None))) == []


def test_letters_that_were_stored_later_are_rows_of_their_origin() -> None:
    facts = replace(
        EXACT,
        letters=(LetterTotal("t", 0, None, 1, 1), LetterTotal(None, None, "BAT00001", 1, 1)),
        rows=(RowTotal(DAY, "STREAM", None, 91), RowTotal(DAY, "BATCH", "BAT00001", 11)),
        serving=(DayComparison(DAY, 102, 102, 7, 0),),
    )

    assert differences(facts) == []


def test_dropped_days_are_accounted_for_by_what_the_serving_view_says() -> None:
    # 30 rows of the stream and 4 of the batch are gone; one came late and is still there.
    facts = replace(
        EXACT,
        rows=(
            RowTotal(DAY, "STREAM", None, 60),
            RowTotal(DAY, "BATCH", "BAT00001", 6),
            RowTotal(DROPPED, "STREAM", None, 1),
        ),
        dropped={DROPPED: 34},
        serving=(DayComparison(DAY, 66, 66, 7, 0),),
    )

    assert differences(facts) == []
    assert len(notes(facts)) == 2
    assert differences(replace(facts, dropped={DROPPED: 33})) == [
        "99 rows of stream and batch, those of 1 dropped days by their aggregates, 100 counted as stored: 1 missing"
    ]


def test_day_that_differs_shows_its_keys_with_both_values() -> None:
    ones, twos = [Decimal(1)] * 6, [Decimal(1), Decimal("2.50"), *[Decimal(1)] * 4]
    nothing = [None] * 6
    examples = (("12:00Z, gas, refund", ones, twos), ("12:01Z", nothing, ones), ("12:02Z", ones, nothing))

    facts = replace(EXACT, serving=(DayComparison(DAY, 100, 100, 7, 3, examples),))

    assert "".join(differences(facts)).splitlines() == [
        "transaction_stats of 2026-06-15: 3 of 7 keys differ (lambda-app recompute --day 2026-06-15 counts it again)",
        "    12:00Z, gas, refund: amount_sum 1, recounted 2.50",
        "    12:01Z: absent, recounted count 1",
        "    12:02Z: count 1, recounted nothing",
    ]
