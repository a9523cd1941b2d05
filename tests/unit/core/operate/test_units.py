"""The output of `systemctl show` into facts, with all the ways in which systemd says that it does not know."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lambda_app.core.operate.cgroup import CgroupUse
from lambda_app.core.operate.health import UnitFacts
from lambda_app.core.operate.units import parse_units, unit_facts

SHOWN = """\
Id=kafka.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
MemoryCurrent=421527552
MemoryMax=2147483648
CPUUsageNSec=8000000000
CPUQuotaPerSecUSec=4s

Id=lambda-pgadmin.service
LoadState=not-found
ActiveState=inactive
SubState=dead
Result=success
MemoryCurrent=[not set]
MemoryMax=infinity
CPUUsageNSec=18446744073709551615
CPUQuotaPerSecUSec=infinity

Id=lambda-cron-runner.timer
LoadState=loaded
ActiveState=active
SubState=waiting
Result=success
"""


def test_each_unit_is_read():
    samples = parse_units(SHOWN)

    assert list(samples) == ["kafka.service", "lambda-pgadmin.service", "lambda-cron-runner.timer"]


def test_figures_are_numbers():
    earlier = parse_units(SHOWN)["kafka.service"]
    later = parse_units(SHOWN.replace("=8000000000", "=9500000000"))["kafka.service"]

    assert unit_facts(earlier, later, seconds=1.0) == UnitFacts(
        loaded=True,
        active_state="active",
        sub_state="running",
        result="success",
        memory_bytes=421527552,
        memory_limit_bytes=2 * 2**30,
        cpu_share=1.5,
        cpu_limit_share=4.0,
    )


@pytest.mark.parametrize("unit", ["lambda-pgadmin.service", "lambda-cron-runner.timer"])
def test_what_systemd_does_not_know_is_none(unit):
    sample = parse_units(SHOWN)[unit]

    facts = unit_facts(sample, sample, seconds=1.0)

    assert (facts.memory_bytes, facts.memory_limit_bytes, facts.cpu_share, facts.cpu_limit_share) == (None,) * 4


def test_unit_that_started_between_the_samples_shows_no_negative_use():
    earlier = parse_units(SHOWN)["kafka.service"]
    later = parse_units(SHOWN.replace("=8000000000", "=1000"))["kafka.service"]

    assert unit_facts(earlier, later, seconds=1.0).cpu_share == 0.0


@pytest.mark.parametrize(
    ("span", "share"), [("250ms", 0.25), ("1s", 1.0), ("1s 500ms", 1.5), ("1min 40s", 100.0), ("100us", 0.0001)]
)
def test_quota_is_read_in_each_spelling(span, share):
    sample = parse_units(SHOWN.replace("=4s", f"={span}"))["kafka.service"]

    assert unit_facts(None, sample, seconds=1.0).cpu_limit_share == pytest.approx(share)


def test_throttling_and_the_next_run_are_read():
    waiting = "SubState=waiting\n"
    shown = SHOWN.replace(waiting, f"{waiting}NextElapseUSecRealtime=Mon 2026-11-30 00:00:00 UTC\n")
    kafka, timer = (parse_units(shown)[unit] for unit in ("kafka.service", "lambda-cron-runner.timer"))
    earlier = replace(kafka, use=CgroupUse(periods=10, throttled_periods=3))
    later = replace(kafka, use=CgroupUse(periods=20, throttled_periods=8))

    assert unit_facts(earlier, later, 1.0).throttled_share == 0.5
    assert unit_facts(None, timer, 1.0).next_run_at == datetime(2026, 11, 30, tzinfo=UTC)
