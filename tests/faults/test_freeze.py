"""Workers that sleep through the loss of their partitions, or leave: nobody waits for them, and nothing is doubled."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.support.consumer_process import ConsumerProcess
from tests.support.drills import TIMEOUT_SECONDS, Flow, choose, seconds_until_all_flow
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import assert_exactly_once, load
from tests.support.processes import wait_until
from tests.support.program import on_host
from tests.support.trap import trapped

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

# Longer than the group waits for a member: settings.KAFKA_SESSION_SECONDS.
FROZEN_SECONDS = choose(14, 90)
# The session timeout of 10 s, a heartbeat of the others, and their take-over.
TAKE_OVER_LIMIT_SECONDS = 25

# Where workers stop, and what is said of it when they go on.
FREEZES = {
    # Another stores its rows meanwhile: only the compare-and-set stands between it and a second account of them.
    "layers.store store_chunk before": "moved elsewhere: reading again from the stored offsets",
    # Its rows are locked, and no timeout of PostgreSQL ends its transaction: whoever takes over does.
    "database.copy copy_in during": "FATAL:  terminating connection due to administrator command",
    # Locked as well: PostgreSQL's own timeout ends it.
    "stream.positions advance after": "FATAL:  terminating connection due to idle-in-transaction timeout",
}


def frozen(process: ConsumerProcess) -> list[int]:
    """The workers that a signal stopped."""
    stats = {pid: Path(f"/proc/{pid}/stat").read_text(encoding="utf-8") for pid in process.workers()}
    return [pid for pid, stat in stats.items() if stat.rpartition(")")[2].split()[0] == "T"]


def assignment(kafka: KafkaServer, topic: str) -> dict[str, set[int]]:
    """The partitions of each member of the group, by the broker's word."""
    group = f"group-of-{topic}"
    with kafka.admin() as admin:
        members = admin.describe_groups([group])[group]["members"]
    return {
        member["client_id"]: {
            partition
            for each in (member["member_assignment"] or {}).get("assigned_partitions", [])
            for partition in each["partitions"]
        }
        for member in members
    }


def is_shared_by(kafka: KafkaServer, topic: str, members: int) -> bool:
    shares = assignment(kafka, topic)
    return len(shares) == members and all(shares.values())


def test_workers_frozen_with_a_chunk_in_hand_stop_nobody_and_cannot_commit_when_they_wake(
    database: Database, kafka: KafkaServer, topic: str, rng: random.Random
) -> None:
    command = trapped(*(f"{point} SIGSTOP {rng.randint(1, 20)}" for point in FREEZES))
    server_log = database.server.directory / "log"
    words_before = len(server_log.read_text(encoding="utf-8"))
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, workers=4, command=command) as process:
        process.wait_until_ready()
        with load(kafka, topic) as sent:
            wait_until(lambda: len(frozen(process)) == 3, what="three frozen workers")
            victims, frozen_at = frozen(process), time.time()
            seconds = seconds_until_all_flow(database, frozen_at, TAKE_OVER_LIMIT_SECONDS)
            print(f"three of four workers frozen: rows of all partitions again after {seconds:.1f} s")
            time.sleep(max(0, frozen_at + FROZEN_SECONDS - time.time()))
            assert frozen(process) == victims
            for victim in victims:
                os.kill(victim, signal.SIGCONT)

            # They are members again, each with its share.
            wait_until(lambda: is_shared_by(kafka, topic, 4), what="a partition for each worker")
            print(f"woken: a partition for each {time.time() - frozen_at - FROZEN_SECONDS:.1f} s later")

        assert_exactly_once(database, sent)
        assert set(victims) < set(process.workers())
        assert "ended with status" not in process.text
        said = process.text + server_log.read_text(encoding="utf-8")[words_before:]
        for point, words in FREEZES.items():
            assert words in said, f"frozen at {point}"


def test_consumer_that_leaves_hands_over_at_once_and_the_others_do_not_stop(
    database: Database, kafka: KafkaServer, topic: str
) -> None:
    with (
        ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, command=on_host("staying")) as staying,
        ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, command=on_host("leaving")) as leaving,
    ):
        staying.wait_until_ready()
        leaving.wait_until_ready()
        with load(kafka, topic) as sent, Flow(database) as flow:
            wait_until(lambda: is_shared_by(kafka, topic, 4), what="a partition for each worker")
            handed_over = set().union(
                *(share for name, share in assignment(kafka, topic).items() if name.startswith("leaving"))
            )
            time.sleep(2)
            left_at = time.monotonic()

            assert leaving.terminate() == 0

            time.sleep(3)
            stops = flow.longest_stops(left_at)
            print(
                "left: rows stood still for", {partition: f"{stop:.2f} s" for partition, stop in sorted(stops.items())}
            )

        assert_exactly_once(database, sent)
        assert len(handed_over) == 2
        # The design wants 1 s on a machine that has nothing else to do.
        assert max(stops[partition] for partition in handed_over) < 3
        assert max(stop for partition, stop in stops.items() if partition not in handed_over) < 1.5
        assert "moved elsewhere" not in staying.text + leaving.text


def test_two_groups_that_fight_over_the_same_offsets_double_nothing(
    database: Database, kafka: KafkaServer, topic: str
) -> None:
    # Each believes that it owns all partitions, as a consumer does that slept through the loss of its own.
    other_group = {"LAMBDA_KAFKA_GROUP": f"another-group-of-{topic}"}
    with (
        ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as first,
        ConsumerProcess(database.environment, kafka.bootstrap_servers, topic, changes=other_group) as second,
    ):
        first.wait_until_ready()
        second.wait_until_ready()
        with load(kafka, topic) as sent:
            time.sleep(choose(3, 60))

        assert_exactly_once(database, sent)
        assert "moved elsewhere: reading again" in first.text + second.text
