"""Dead letters recorded as the programs do, and what became of them."""

import subprocess
from collections.abc import Iterable
from contextlib import closing

from lambda_app.core.transaction.outcome import DeadLetter
from lambda_app.database.connection import STREAM, connect, transaction
from lambda_app.host.clock import Clock, SystemClock
from lambda_app.layers.dead_letters import record_dead_letters
from lambda_app.operate.dead_letters import Filters, select_open
from lambda_app.operate.retry import Retry
from tests.support.fixtures import Database
from tests.support.program import run_program

COLUMNS = ["transaction_id", "account_id", "transaction_type", "amount", "event_time", "location"]


def record_messages(values: Iterable[bytes | None], topic: str = "transactions", reason: str = "a rule of old") -> None:
    record([DeadLetter(reason, value, topic, None, 0, offset) for offset, value in enumerate(values)])


def record_lines(lines: Iterable[str], file: str = "day.csv", job_id: str | None = "BAT00001") -> None:
    record(
        [
            DeadLetter("a rule of old", line.encode(), file=file, line=n, job_id=job_id)
            for n, line in enumerate(lines, 2)
        ]
    )


def record(letters: list[DeadLetter]) -> None:
    with closing(connect(STREAM)) as connection, transaction(connection):
        record_dead_letters(connection, letters)


def fates(database: Database) -> list[object]:
    """What became of each letter."""
    assert database.count("dead_letters", "(resolved_at IS NULL) <> (resolution IS NULL)") == 0
    return [fate for (fate,) in database.query("SELECT resolution FROM lambda.dead_letters ORDER BY id")]


def retry_all(clock: Clock = SystemClock()) -> Retry:  # noqa: B008
    run = Retry(select_open(Filters()), clock)
    for _ in run.run():
        pass
    return run


def run_dead_letters(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_program(database.environment, "dead-letters", *arguments)
