"""The verdict on the platform: each reason for concern, and none for what is well or not here."""

from dataclasses import replace
from datetime import date

import pytest

from lambda_app.core.batch.inbox_entries import InboxEntry
from lambda_app.core.operate.components import Kind, parse_components
from lambda_app.core.operate.health import (
    JobFacts,
    PlatformFacts,
    StreamFacts,
    UnitFacts,
    reasons_for_concern,
)
from tests.support.components import TABLE

ACTIVE = UnitFacts(loaded=True, active_state="active", sub_state="running")
RESTING = UnitFacts(loaded=True)
STREAM = StreamFacts(lag_records=12, rows_per_second=100.0, newest_age_seconds=0.3, gaps=0)
JOB = JobFacts("BAT00007", date(2026, 11, 23), "completed", 1, 10_000, None)
HEALTHY = PlatformFacts(
    TABLE,
    units={row.unit: RESTING if row.kind is Kind.JOB else ACTIVE for row in TABLE},
    stream=STREAM,
    last_job=JOB,
)


def with_unit(unit: str, **changes) -> PlatformFacts:
    return replace(HEALTHY, units=HEALTHY.units | {unit: replace(HEALTHY.units[unit], **changes)})


def test_healthy_platform_gives_no_reason():
    assert reasons_for_concern(HEALTHY) == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (
            with_unit("kafka.service", active_state="failed", sub_state="failed", result="oom-kill"),
            (
                "kafka is failed (failed), not active (result: oom-kill): "
                "no message is taken or read, so the producer and the consumer wait"
            ),
        ),
        (
            with_unit("lambda-consumer.service", active_state="activating", sub_state="auto-restart"),
            "lambda-consumer is activating (auto-restart), not active: messages wait in Kafka",
        ),
        (
            with_unit("lambda-db-setup.service", active_state="failed", result="exit-code"),
            (
                "lambda-db-setup is failed (running): its last run did not succeed (result: exit-code): "
                "the schema is that of an earlier release, so no consumer starts"
            ),
        ),
        (
            with_unit("lambda-cron-runner.timer", active_state="inactive"),
            "lambda-cron-runner.timer is not active: nothing starts lambda-cron-runner at midnight",
        ),
        (
            with_unit("lambda-inbox.path", active_state="inactive"),
            "lambda-inbox.path is not active: files in the inbox wait for midnight",
        ),
        (
            with_unit(
                "lambda-csv-batch.service", active_state="activating", sub_state="auto-restart", result="exit-code"
            ),
            (
                "lambda-csv-batch failed (result: exit-code), it is waiting to try again: "
                "a job was not loaded, or closed days were not counted again; "
                "journalctl -u lambda-csv-batch says why, systemctl start lambda-csv-batch repeats it"
            ),
        ),
        (
            replace(HEALTHY, stream=replace(STREAM, lag_records=5000, rows_per_second=0.0, newest_age_seconds=None)),
            "the consumer is 5,000 records behind and does not move",
        ),
        (
            replace(HEALTHY, stream=replace(STREAM, lag_records=2_000_000)),
            "the consumer is 2,000,000 records behind, at 100 rows/s",
        ),
        (
            replace(HEALTHY, stream=replace(STREAM, newest_age_seconds=4000.0)),
            "the newest row is 4,000 s old while the producer runs",
        ),
        (
            replace(HEALTHY, stream=replace(STREAM, newest_age_seconds=None)),
            "the producer runs and no row has arrived yet",
        ),
        (
            replace(HEALTHY, failed_jobs=(replace(JOB, status="failed", error="disk full"),)),
            "BAT00007 for 2026-11-23 was given up (disk full): lambda-app batch schedule --date 2026-11-23 retries it",
        ),
        (
            replace(HEALTHY, failed_jobs=(replace(JOB, status="failed", error="bad header", file="a.csv"),)),
            "BAT00007 for a.csv was given up (bad header): mend the file and put it into the inbox again",
        ),
        (replace(HEALTHY, stream=None, errors=("Kafka is away",)), "Kafka is away"),
        (
            with_unit("lambda-verify.service", active_state="failed", sub_state="failed", result="exit-code"),
            (
                "lambda-verify failed (result: exit-code): "
                "what is stored differs from what was sent, or could not be compared with it; "
                "journalctl -u lambda-verify says why, systemctl start lambda-verify repeats it"
            ),
        ),
        (
            with_unit("lambda-db-maintenance.service", sub_state="auto-restart", result="exit-code"),
            (
                "lambda-db-maintenance failed (result: exit-code), it is waiting to try again: "
                "closed days have no index by transaction_id, and no old day is dropped; "
                "journalctl -u lambda-db-maintenance says why, systemctl start lambda-db-maintenance repeats it"
            ),
        ),
        (
            with_unit("lambda-verify.timer", active_state="inactive"),
            "lambda-verify.timer is not active: nothing audits the platform on Sundays",
        ),
        (
            with_unit("lambda.target", active_state="inactive"),
            (
                "lambda.target is inactive although kafka, lambda-producer, lambda-consumer, lambda-postgres,"
                " lambda-pgadmin, lambda-node-exporter, lambda-metrics, lambda-postgres-exporter, lambda-prometheus,"
                " lambda-alertmanager, lambda-alerts run: systemctl start lambda.target"
            ),
        ),
        (
            replace(HEALTHY, inbox=(InboxEntry("a.txt", True, 3600.0, 3600.0),)),
            "1 file in the inbox is not taken: a.txt (rename it to *.csv or *.csv.gz, or remove it)",
        ),
    ],
)
def test_each_fault_is_named(facts, reason):
    assert reason in reasons_for_concern(facts)


@pytest.mark.parametrize(
    "facts",
    [
        # A batch at work, an old row while nobody produces, and a host without the component.
        with_unit("lambda-csv-batch.service", active_state="activating", sub_state="start"),
        replace(
            with_unit("lambda-producer.service", loaded=False, active_state="inactive"),
            stream=replace(STREAM, lag_records=0, rows_per_second=0.0, newest_age_seconds=90_000.0),
        ),
        with_unit("lambda-pgadmin.service", loaded=False, active_state="inactive"),
        with_unit("lambda-db-setup.service", active_state="inactive", sub_state="dead"),
        replace(HEALTHY, last_job=None),
        # An audit at work, and hosts without the programs or the target.
        with_unit("lambda-verify.service", active_state="activating", sub_state="start"),
        with_unit("lambda-verify.service", loaded=False),
        with_unit("lambda.target", loaded=False, active_state="inactive"),
        # Between two chunks nothing moves for a moment.
        replace(HEALTHY, stream=replace(STREAM, rows_per_second=0.0)),
    ],
)
def test_what_is_normal_is_no_reason(facts):
    assert reasons_for_concern(facts) == []


def test_a_row_that_is_added_is_judged():
    row = '{"lambda-counter": {"unit": "lambda-counter.service", "kind": "job", "failure": "nobody counts"}}'
    failed = UnitFacts(loaded=True, active_state="failed", sub_state="failed", result="exit-code")
    units = HEALTHY.units | {"lambda-counter.service": failed}

    reasons = reasons_for_concern(replace(HEALTHY, table=(*TABLE, *parse_components(row)), units=units))

    assert reasons == [
        (
            "lambda-counter failed (result: exit-code): nobody counts; "
            "journalctl -u lambda-counter says why, systemctl start lambda-counter repeats it"
        )
    ]
