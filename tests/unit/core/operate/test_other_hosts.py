"""What another host's metrics say of it: its components as facts, and what is wrong as reasons."""

from dataclasses import replace

import pytest

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.kinds import Sample
from lambda_app.core.metrics.scraped import Scraped, ScrapedSample
from lambda_app.core.operate.cgroup import CgroupUse
from lambda_app.core.operate.health import PlatformFacts, StreamFacts, UnitFacts, reasons_for_concern
from lambda_app.core.operate.other_hosts import (
    DOWN,
    FAILED,
    UP,
    BatchNumbers,
    OtherHost,
    RemoteUnit,
    other_host,
    other_host_reasons,
)
from lambda_app.core.operate.unit_samples import unit_samples
from tests.support.components import TABLE

ROWS = {row.name: row for row in TABLE}
KAFKA = ROWS["kafka"]
SYSTEMD_UP = declared.SOURCE_UP.sample(1, "systemd")
POSTGRESQL_UP = declared.SOURCE_UP.sample(1, "postgresql")
ACTIVE = UnitFacts(loaded=True, active_state="active", sub_state="running", restarts=2)
USE = CgroupUse(
    cpu_seconds=10.0,
    cpu_limit_cores=4.0,
    periods=100,
    throttled_periods=10,
    memory_bytes=2**20,
    memory_limit_bytes=2**31,
)


def scraped(*samples: Sample) -> Scraped:
    return Scraped.of(
        ScrapedSample(each.metric.name, dict(zip(each.metric.labels, each.labels, strict=True)), float(each.value))
        for each in samples
        if isinstance(each.value, int | float)
    )


def look(facts: UnitFacts, use: CgroupUse, seconds: float, *more: Sample) -> Scraped:
    samples = unit_samples((KAFKA,), {KAFKA.unit: facts}, {KAFKA.unit: use})
    return scraped(*samples, SYSTEMD_UP, declared.LOOKED_TIME.sample(seconds), *more)


def test_unit_is_what_its_samples_say():
    later = replace(USE, cpu_seconds=13.0, periods=120, throttled_periods=15)

    host = other_host(("kafka",), TABLE, look(ACTIVE, USE, 1000), look(ACTIVE, later, 1002))

    # 3 s of CPU time in 2 s, held back in 5 of 20 periods.
    kafka = RemoteUnit(UP, 2**20, 2**31, cpu_share=1.5, cpu_limit_share=4.0, throttled_share=0.25, restarts=2)
    assert host == OtherHost(("kafka",), units={"kafka": kafka})


@pytest.mark.parametrize(
    ("state", "expected"), [("active", UP), ("failed", FAILED), ("inactive", DOWN), ("activating", DOWN)]
)
def test_state_is_up_failed_or_down(state, expected):
    facts = look(replace(ACTIVE, active_state=state), USE, 1000)

    assert other_host((), TABLE, facts, facts).units["kafka"].state == expected


def test_rates_are_unknown_when_it_looked_only_once_or_the_unit_does_not_run():
    once = other_host((), TABLE, look(ACTIVE, USE, 1000), look(ACTIVE, USE, 1000)).units["kafka"]
    resting = look(ACTIVE, CgroupUse(), 1000), look(ACTIVE, CgroupUse(), 1001)

    assert once.cpu_share is None
    assert other_host((), TABLE, *resting).units["kafka"] == RemoteUnit(UP, restarts=2)


def test_host_whose_systemd_does_not_answer_is_not_known():
    host = other_host(("kafka",), TABLE, scraped(), scraped(declared.SOURCE_UP.sample(0, "systemd")))

    assert (host.error, host.units) == ("its systemd does not answer lambda-metrics", {})


def test_host_of_the_batch_says_what_postgresql_and_the_inbox_hold():
    numbers = (
        declared.DEAD_LETTERS_OPEN.sample(4),
        declared.STORED_NEWEST_AGE.sample(1.5),
        declared.GAPS.sample(1),
        declared.GIVEN_UP_JOBS.sample(2, "night"),
        declared.GIVEN_UP_JOBS.sample(1, "file"),
        declared.INBOX_WAITING.sample(5),
        declared.INBOX_NOT_TAKEN.sample(6),
    )

    with_database = look(ACTIVE, USE, 1000, POSTGRESQL_UP, *numbers)
    without = look(ACTIVE, USE, 1000, *numbers)

    assert other_host(("batch",), TABLE, with_database, with_database).batch == BatchNumbers(4, 1.5, 1, 3, 5, 6)
    assert other_host(("batch",), TABLE, without, without).batch is None


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (
            OtherHost(("kafka",), error="10.0.0.2:9110 does not answer within 2 s"),
            "b is not reachable, so what runs there is not known: 10.0.0.2:9110 does not answer within 2 s",
        ),
        (OtherHost((), units={"kafka": RemoteUnit(FAILED)}), f"kafka is failed on b: {KAFKA.failure}"),
        (OtherHost((), units={"kafka": RemoteUnit(DOWN)}), f"kafka is down on b: {KAFKA.failure}"),
        (OtherHost(("batch",)), "PostgreSQL does not answer lambda-metrics on b"),
        (
            OtherHost(("batch",), batch=BatchNumbers(given_up_jobs=1)),
            "1 job was given up: lambda-app status on b says which",
        ),
        (
            OtherHost(("batch",), batch=BatchNumbers(inbox_waiting=2)),
            "2 files wait in the inbox: lambda-app status on b says which",
        ),
    ],
)
def test_each_fault_of_another_host_is_named(host, reason):
    assert list(other_host_reasons("b", host, TABLE)) == [reason]


@pytest.mark.parametrize(
    "host",
    [
        OtherHost(("kafka",), error="its metrics are on its loopback alone", is_within_reach=False),
        OtherHost(("batch",), units={"kafka": RemoteUnit(UP)}, batch=BatchNumbers(dead_letters_open=3)),
    ],
)
def test_what_is_normal_elsewhere_is_no_reason(host):
    assert list(other_host_reasons("b", host, TABLE)) == []


@pytest.mark.parametrize(("state", "reasons"), [(UP, 1), (DOWN, 0)])
def test_old_rows_are_a_reason_while_a_producer_runs_elsewhere(state, reasons):
    producer = {"lambda-producer": RemoteUnit(state)}
    here = {row.unit: UnitFacts(loaded=False) for row in TABLE}
    stream = StreamFacts(lag_records=0, rows_per_second=0.0, newest_age_seconds=90.0, gaps=0)

    others = {"b": OtherHost((), units=producer)}

    found = reasons_for_concern(PlatformFacts(TABLE, here, stream, None, other_hosts=others))

    assert sum("old while the producer runs" in reason for reason in found) == reasons
