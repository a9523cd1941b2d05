"""The metrics of the units that a host has."""

from lambda_app.core.operate.cgroup import CgroupUse
from lambda_app.core.operate.components import Component, Kind
from lambda_app.core.operate.health import UnitFacts
from lambda_app.core.operate.unit_samples import unit_samples

KAFKA = Component("kafka.service", Kind.SERVICE, "all waits", name="kafka")
VERIFY = Component("lambda-verify.service", Kind.JOB, "nobody knows", name="lambda-verify")
SETUP = Component("lambda-db-setup.service", Kind.SETUP, "the schema is old", name="lambda-db-setup")
ACTIVE = UnitFacts(True, "active", "running", restarts=3)


def seen(units: dict[str, UnitFacts], uses: dict[str, CgroupUse] | None = None) -> dict[tuple[str, str], object]:
    samples = unit_samples((KAFKA, VERIFY, SETUP), units, uses or {})
    return {(sample.metric.name.removeprefix("lambda_unit_"), sample.labels[0]): sample.value for sample in samples}


def test_unit_that_is_not_here_has_no_sample() -> None:
    assert seen({"kafka.service": UnitFacts(False)}) == {}


def test_unit_says_how_it_is_and_what_it_uses() -> None:
    use = CgroupUse(8.5, 4.0, 100, 25, 2**20, 2**31, 1, 90, 500, 2**19)

    assert seen({"kafka.service": ACTIVE}, {"kafka.service": use}) == {
        ("up", "kafka"): True,
        ("failed", "kafka"): False,
        ("restarts_total", "kafka"): 3,
        ("cpu_seconds_total", "kafka"): 8.5,
        ("cpu_limit_cores", "kafka"): 4.0,
        ("cpu_periods_total", "kafka"): 100,
        ("cpu_throttled_periods_total", "kafka"): 25,
        ("memory_bytes", "kafka"): 2**20,
        ("memory_without_cache_bytes", "kafka"): 2**19,
        ("memory_limit_bytes", "kafka"): 2**31,
        ("oom_kills_total", "kafka"): 1,
        ("tasks", "kafka"): 90,
        ("tasks_limit", "kafka"): 500,
    }


def test_up_means_what_a_unit_of_its_kind_is_when_all_is_well() -> None:
    units = {
        "kafka.service": UnitFacts(True, "failed", "failed", "exit-code"),
        "lambda-verify.service": UnitFacts(True, "inactive", "dead"),
        "lambda-db-setup.service": UnitFacts(True, "inactive", "dead", "exit-code"),
    }

    found = seen(units)

    assert {name: found["up", name] for name in ("kafka", "lambda-verify", "lambda-db-setup")} == {
        "kafka": False,
        "lambda-verify": True,
        "lambda-db-setup": False,
    }
    assert (found["failed", "kafka"], found["failed", "lambda-verify"]) == (True, False)
