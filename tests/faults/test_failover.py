"""PostgreSQL can only be read for a while, or another server takes over: nothing is lost, no message is blamed."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.support.consumer_process import ConsumerProcess
from tests.support.drills import TIMEOUT_SECONDS, choose, seconds_until_all_flow
from tests.support.fixtures import Database, primary_and_standby
from tests.support.kafka_server import KafkaServer
from tests.support.load import assert_exactly_once, load
from tests.support.postgres_server import PostgresServer
from tests.support.processes import wait_until

pytestmark = pytest.mark.timeout(TIMEOUT_SECONDS)

AWAY_SECONDS = choose(3, 60)
# The next attempt comes after at most 5 s.
FLOW_LIMIT_SECONDS = 20


def wait_for_status(process: ConsumerProcess, text: str) -> None:
    """Until it tells systemd that it waits for this."""
    wait_until(lambda: any(text in said for said in process.notifications), what=f"the status {text!r}")


def test_read_only_spell_loses_nothing_and_blames_no_message(
    database: Database, kafka: KafkaServer, postgres: PostgresServer, topic: str
) -> None:
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with load(kafka, topic) as sent:
            time.sleep(1)
            # Of the sessions there are as well, from their next transaction on.
            postgres.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            postgres.execute("SELECT pg_reload_conf()")
            try:
                wait_for_status(process, "waiting: PostgreSQL is away: cannot execute")
                time.sleep(AWAY_SECONDS)
            finally:
                postgres.execute("ALTER SYSTEM RESET default_transaction_read_only")
                postgres.execute("SELECT pg_reload_conf()")
            seconds = seconds_until_all_flow(database, time.time(), FLOW_LIMIT_SECONDS, of_any_age=True)

        print(f"writable again: rows of all partitions after {seconds:.1f} s")
        assert_exactly_once(database, sent)
        assert "ended with status" not in process.text
        assert "Traceback" not in process.text


@pytest.fixture
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    with primary_and_standby() as servers:
        yield servers


@pytest.mark.parametrize(
    ("target", "waits_for"),
    [
        # As docs and roles have it: libpq looks for the server that can be written to.
        ("primary", "waiting: PostgreSQL is away: connection to server"),
        # Whichever answers: it says that it is a standby.
        ("any", "waiting: PostgreSQL is away: cannot execute"),
    ],
)
def test_promoted_standby_has_each_message_once(
    pair: tuple[PostgresServer, PostgresServer], kafka: KafkaServer, topic: str, target: str, waits_for: str
) -> None:
    primary, standby = pair
    programs = Database(primary, "template_lambda", primary.service_file("template_lambda", standby, target=target))
    database = Database(standby, "template_lambda", programs.service_file)
    with ConsumerProcess(programs.environment, kafka.bootstrap_servers, topic) as process:
        process.wait_until_ready()
        with load(kafka, topic) as sent:
            wait_until(lambda: database.count("transactions") > 0, what="rows on the standby")
            # As pg_ctl stop -m immediate does it: what the standby has not received is lost.
            primary.stop(signal.SIGQUIT)
            wait_for_status(process, waits_for)
            time.sleep(AWAY_SECONDS)
            standby.execute("SELECT pg_promote()")
            seconds = seconds_until_all_flow(database, time.time(), FLOW_LIMIT_SECONDS, of_any_age=True)

        print(f"{target}: promoted, rows of all partitions after {seconds:.1f} s")
        assert_exactly_once(database, sent)
        assert "ended with status" not in process.text
        assert "Traceback" not in process.text
