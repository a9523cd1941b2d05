"""`lambda-app status` on a platform of several hosts: others that answer, hang and refuse."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.cells import cell_len

from lambda_app.core.metrics import declared
from lambda_app.core.operate.cgroup import CgroupUse
from lambda_app.core.operate.components import Component
from lambda_app.core.operate.health import UnitFacts
from lambda_app.core.operate.unit_samples import unit_samples
from lambda_app.host import exposition
from tests.support import components
from tests.support.fixtures import Database
from tests.support.http_server import answering, hanging
from tests.support.kafka_server import KafkaServer
from tests.support.processes import free_port, wait_until
from tests.support.program import Program, interrupt_on_terminal, run_on_terminal, run_program
from tests.support.status_schema import valid
from tests.support.systemctl import Systemctl

HERE, ANSWERS, HANGS, REFUSES = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"
ALERT = {
    "state": "firing",
    "labels": {"alertname": "DiskLow", "severity": "critical"},
    "annotations": {"summary": "/ is full", "runbook_url": "http://localhost/#disklow"},
    "activeAt": "2026-11-29T01:00:00Z",
}
DEAD_MAN = {"state": "firing", "labels": {"alertname": "Watchdog", "severity": "none"}}
OWN_STYLES = re.compile(r"\x1b\[[0-9;]*m")
FILE_SYSTEM = '{device="/dev/sda1",fstype="ext4",mountpoint="/"}'


class Platform:
    """The files of a host, and where the others may be asked."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory, self._stack = directory, stack
        rows = json.loads(components.JSON)
        self.ports = {name: free_port() for name, row in rows.items() if "metrics_port" in row}
        for name, port in self.ports.items():
            rows[name]["metrics_port"] = port
        (directory / "components.json").write_text(json.dumps(rows))
        self.hosts: dict[str, object] = {}
        self.add("here", HERE, "batch", "monitoring")

    def add(self, name: str, address: str, *groups: str) -> None:
        self.hosts[name] = {"metrics_address": address, "groups": groups}
        (self.directory / "hosts.json").write_text(json.dumps({"here": "here", "hosts": self.hosts}))

    def answer(self, address: str, component: str, answer: Callable[[str], str | None]) -> None:
        self._stack.enter_context(answering(address, self.ports[component], answer))

    def hang(self, address: str) -> None:
        self._stack.enter_context(hanging(address, self.ports["lambda-metrics"]))


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with ExitStack() as stack:
        yield Platform(tmp_path, stack)


@pytest.fixture
def environment(database: Database, kafka: KafkaServer, topic: str, platform: Platform) -> dict[str, str]:
    """Of a platform whose newest row is fresh."""
    systemctl = Systemctl(platform.directory)
    database.query("SELECT lambda.ensure_partition(current_date), lambda.ensure_partition(current_date - 1)")
    database.query(
        "INSERT INTO lambda.transactions"
        " (transaction_id, account_id, transaction_type, amount, event_time, ingestion_type)"
        " VALUES ('T1', 'A1', 'purchase', 1, now(), 'STREAM')"
    )
    return {
        **database.environment,
        "PATH": f"{systemctl.directory}:/usr/bin:/bin",
        **kafka.environment(topic),
        "LAMBDA_COMPONENTS_FILE": str(platform.directory / "components.json"),
        "LAMBDA_HOSTS_FILE": str(platform.directory / "hosts.json"),
    }


def unit_metrics(row: Component, **facts: str) -> str:
    """What lambda-metrics says of one component, whose CPU time is that of the clock."""
    states = UnitFacts(loaded=True, **{"active_state": "active", "sub_state": "running", **facts}, restarts=3)
    use = CgroupUse(cpu_seconds=time.time(), cpu_limit_cores=4.0, periods=10, throttled_periods=5, memory_bytes=2**30)
    samples = [*unit_samples((row,), {row.unit: states}, {row.unit: use}), declared.SOURCE_UP.sample(1, "systemd")]
    return exposition.text([*samples, declared.LOOKED_TIME.sample(time.time())])


def consumer_metrics() -> str:
    """A consumer with two partitions, the second of which is behind."""
    lag = [
        (declared.CONSUMER_LAG, (0, 7)),
        (declared.CONSUMER_LAG_SECONDS, (0.0, 2.5)),
        (declared.CONSUMER_NEXT_OFFSET, (5, 5)),
    ]
    return exposition.text(
        metric.sample(value, str(partition), "1") for metric, values in lag for partition, value in enumerate(values)
    )


KAFKA = next(row for row in components.TABLE if row.name == "kafka")


def document(environment: dict[str, str], returncode: int) -> dict[str, object]:
    """What --json says, which is what the schema says."""
    result = run_program(environment, "status", "--json")
    assert (result.returncode, result.stderr) == (returncode, "")
    return valid(result.stdout)


def test_host_that_answers_is_shown_with_its_components(environment, platform):
    platform.add("other", ANSWERS, "kafka")
    platform.answer(ANSWERS, "lambda-metrics", lambda _: unit_metrics(KAFKA))
    platform.answer(
        ANSWERS,
        "lambda-node-exporter",
        lambda _: f"node_filesystem_size_bytes{FILE_SYSTEM} 100\nnode_filesystem_avail_bytes{FILE_SYSTEM} 40\n",
    )

    result = run_program(environment, "status")
    answer = document(environment, 0)

    kafka = answer["other_hosts"]["other"]["units"]["kafka"]
    assert (kafka["state"], kafka["cpu_limit_share"], kafka["restarts"]) == ("up", 4.0, 3)
    # It used as much CPU time as passed on its clock.
    assert kafka["cpu_share"] == pytest.approx(1.0, abs=0.05)
    assert {"host": "other", "mountpoint": "/", "size_bytes": 100, "free_bytes": 40}.items() <= answer["disks"][
        -1
    ].items()
    assert "other (kafka)\n" in result.stdout
    assert result.stdout.rstrip().endswith("healthy")


def test_component_that_is_down_elsewhere_is_a_reason(environment, platform):
    platform.add("other", ANSWERS, "kafka")
    platform.answer(ANSWERS, "lambda-metrics", lambda _: unit_metrics(KAFKA, active_state="failed", sub_state="failed"))

    reasons = document(environment, 1)["reasons"]

    assert reasons == [f"kafka is failed on other: {KAFKA.failure}"]


def test_hosts_that_hang_or_refuse_are_said_within_5_seconds(environment, platform):
    platform.add("hanging", HANGS, "kafka")
    platform.add("refusing", REFUSES, "consumer")
    platform.hang(HANGS)

    start = time.monotonic()
    reasons = document(environment, 1)["reasons"]
    seconds = time.monotonic() - start

    port, unknown = platform.ports["lambda-metrics"], "is not reachable, so what runs there is not known"
    assert reasons == [
        f"hanging {unknown}: {HANGS}:{port} does not answer within 2 s",
        f"refusing {unknown}: {REFUSES}:{port} does not answer: Connection refused",
    ]
    assert seconds < 5


def test_host_on_loopback_is_out_of_reach_and_no_reason(environment, platform):
    platform.add("other", "127.0.0.1", "consumer")

    result = run_program(environment, "status")

    assert result.returncode == 0
    assert "other (consumer)\nnot reachable: its metrics are on its loopback alone (metrics_address)" in result.stdout


def test_what_is_no_scrape_is_not_believed(environment, platform):
    platform.add("other", ANSWERS, "kafka")
    platform.answer(ANSWERS, "lambda-metrics", lambda _: "<html>{{{")

    (reason,) = document(environment, 1)["reasons"]

    assert reason.endswith("answers what are no metrics")


def test_partitions_have_their_reader(environment, platform, database, kafka, topic):
    kafka.produce(topic, [b"{}"] * 12)
    platform.add("other", ANSWERS, "consumer")
    platform.answer(ANSWERS, "lambda-metrics", lambda _: unit_metrics(KAFKA))
    platform.answer(ANSWERS, "lambda-consumer", lambda _: consumer_metrics())

    result = run_program(environment, "status")
    answer = document(environment, 0)

    assert [each["reader"] for each in answer["partitions"]] == ["other-1", "other-1", None, None]
    # By Kafka, whose word is better than the reader's.
    assert [each["lag_records"] for each in answer["partitions"]] == [3, 3, 3, 3]
    assert [each["lag_seconds"] for each in answer["partitions"]] == [0.0, 2.5, None, None]
    assert answer["stream"]["lag_seconds"] is None
    assert [line.split() for line in result.stdout.splitlines() if "nobody" in line] == [
        ["nobody", "3", "2"],
        ["nobody", "3", "3"],
    ]


def test_alerts_and_paces_are_those_of_prometheus(environment, platform):
    alerts = {"status": "success", "data": {"alerts": [DEAD_MAN, ALERT, ALERT | {"state": "pending"}]}}
    series = [{"metric": {"instance": "here", "mountpoint": "/"}, "value": [0, "360000"]}]
    vector = {"status": "success", "data": {"resultType": "vector", "result": series}}
    platform.answer(HERE, "lambda-prometheus", lambda path: json.dumps(alerts if path == "/api/v1/alerts" else vector))

    result = run_program(environment, "status")
    answer = document(environment, 0)

    assert [alert["name"] for alert in answer["alerts"]] == ["DiskLow"]
    assert "alert     DiskLow (critical): / is full\n" in result.stdout
    assert answer["disks"][0]["full_in_seconds"] == 360_000
    assert "full in 4 days\n" in result.stdout


def test_prometheus_that_is_away_is_said(environment):
    result = run_program(environment, "status")

    assert "alerts    unknown: 127.0.0.1:" in result.stdout
    assert "when full: unknown\n" in result.stdout


def test_host_without_the_readers_password_shows_the_stream_of_the_host_of_the_batch(
    environment, platform, database, tmp_path
):
    (tmp_path / "credentials").mkdir()
    batch_numbers = [
        declared.SOURCE_UP.sample(1, "postgresql"),
        declared.DEAD_LETTERS_OPEN.sample(4),
        declared.STORED_NEWEST_AGE.sample(1.5),
        declared.GIVEN_UP_JOBS.sample(2, "night"),
    ]
    platform.add("here", HERE, "pgadmin")
    platform.add("other", ANSWERS, "consumer", "batch")
    platform.answer(
        ANSWERS,
        "lambda-metrics",
        lambda _: (
            unit_metrics(KAFKA)
            + exposition.text(batch_numbers[1:])
            + 'lambda_metrics_source_up{source="postgresql"} 1\n'
        ),
    )
    platform.answer(ANSWERS, "lambda-consumer", lambda _: consumer_metrics())

    answer = document({**environment, "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}, 1)

    assert answer["reasons"] == ["2 jobs were given up: lambda-app status on other says which"]
    assert answer["dead_letters_open"] == 4
    assert answer["stream"] == {
        "lag_records": 7,
        "rows_per_second": 0.0,
        "newest_age_seconds": 1.5,
        "gaps": 0,
        "lag_seconds": 2.5,
    }


HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


def frames(written: str) -> list[list[str]]:
    """What was drawn from the terminal's home each time, as lines without styles."""
    plain = OWN_STYLES.sub("", written.split(LEAVE)[0])
    return [frame.split(CLEAR_BELOW)[0].replace(CLEAR_LINE, "").split("\r\n") for frame in plain.split(HOME)[1:]]


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_watch_redraws_in_place_and_leaves_its_last_look(size, environment, platform):
    platform.add("lambda-split-first", ANSWERS, "kafka", "consumer")
    platform.answer(ANSWERS, "lambda-metrics", lambda _: unit_metrics(KAFKA))
    platform.answer(ANSWERS, "lambda-consumer", lambda _: consumer_metrics())

    written, status = interrupt_on_terminal(
        environment, "status", "--watch", "--interval", "0", after=CLEAR_BELOW, times=2, size=size
    )

    assert status == 0, written
    assert written.count(ENTER) == written.count(LEAVE) == 1
    assert len(frames(written)) >= 2
    for frame in frames(written):
        assert len(frame) <= size[1]
        assert max(map(cell_len, frame)) <= size[0]
        assert re.match("healthy   .* UTC, Ctrl-C ends *$", frame[0])
    assert "healthy" in written.split(LEAVE)[1]
    assert "Aborted" not in written


def test_watch_leaves_the_terminal_as_it_was_when_it_is_ended(environment):
    written, status = interrupt_on_terminal(environment, "status", "--watch", after=ENTER)

    assert (status, written.count(LEAVE)) == (0, 1)
    assert "^C" not in written


def test_watch_without_a_terminal_prints_one_look_after_the_other(environment):
    with Program(environment, "status", "--watch", "--interval", "0") as program:
        wait_until(lambda: program.text.count("\nstream    0 rows/s") >= 2, what="two looks")
        program.process.send_signal(signal.SIGINT)
        assert program.process.wait(10) == 0
        assert "\x1b" not in program.text


def test_page_of_one_host_is_not_wrapped_at_80_columns(environment, platform):
    lines = OWN_STYLES.sub("", run_on_terminal(environment, "status")).split("\r\n")

    assert max(map(cell_len, lines)) <= 80
    assert [line.split()[0] for line in lines if "restarts" in line] == ["component"]
