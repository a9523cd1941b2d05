"""Dead letters on a real PostgreSQL: found by filters, retried exactly once, discarded only by those who mean it."""

import os
import pty
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lambda_app.core.transaction.outcome import DeadLetter
from lambda_app.operate.dead_letters import Filters, list_letters
from tests.support.fixtures import Database
from tests.support.letters import fates, record, record_lines, record_messages, retry_all, run_dead_letters
from tests.support.messages import message, messages
from tests.support.processes import REPOSITORY
from tests.support.program import COMMAND


@pytest.fixture
def found(database: Database) -> Callable[..., list[int]]:
    """Finds by filters among four letters, a day apart."""
    ahead = message(event_time="2999-01-01T00:00:00Z")
    record([DeadLetter("amount has 3 decimals, more than 2: 1.234", b"1", "transactions", None, 0, 1)])
    record([DeadLetter("Amount is missing", b"2", "payments", None, 0, 1)])
    record([DeadLetter("100% of it is wrong", b"3", file="day_1.csv", line=2)])
    record([DeadLetter("event_time is more than one day ahead: '2999'", ahead, file="dayX1.csv", line=2)])
    database.query(
        "UPDATE lambda.dead_letters SET received_at = timestamptz '2026-06-14 22:30Z' + id * interval '1 day'"
    )
    database.query("UPDATE lambda.dead_letters SET resolved_at = now(), resolution = 'discarded' WHERE id = 4")

    def find(resolved: bool = False, **filters: object) -> list[int]:
        count, letters = list_letters(Filters(**filters), 10, resolved)  # type: ignore[arg-type]
        assert count == len(letters)
        return [letter.id for letter in letters]

    return find


def test_filters_find_what_passes_all_of_them(found: Callable[..., list[int]]) -> None:
    assert found() == [3, 2, 1]
    assert found(resolved=True) == [4, 3, 2, 1]
    assert found(ids=(1, 3, 4, 99)) == [3, 1]
    assert found(reason="AMOUNT") == [2, 1]
    assert found(reason="0%") == [3]
    assert found(source="payments") == [2]
    assert found(source="pay") == []
    assert found(source="day_1*", resolved=True) == [3]
    assert found(source="day?1.csv", resolved=True) == [4, 3]
    assert found(reason="amount", source="*s", ids=(1, 2)) == [2, 1]


def test_times_without_a_zone_are_the_platforms(database: Database, found: Callable[..., list[int]]) -> None:
    database.query(f"ALTER DATABASE {database.name} SET timezone = 'Europe/Berlin'")

    # Received at half past midnight of 16, 17 and 18 June in Berlin.
    assert found(since=datetime(2026, 6, 17)) == [3, 2]  # noqa: DTZ001
    assert found(since=datetime(2026, 6, 17, tzinfo=UTC)) == [3]
    assert found(until=datetime(2026, 6, 17)) == [1]  # noqa: DTZ001
    assert found(since=datetime(2026, 6, 15, 22, 30, tzinfo=UTC), until=datetime(2026, 6, 16, 22, 30, tzinfo=UTC)) == [
        1
    ]


def test_list_shows_the_newest_and_how_many_there_are(database: Database) -> None:
    record_messages([b"x"] * 5, reason="not JSON: [red]")

    shown = run_dead_letters(database, "list", "--limit", "2", "--since", "2026-01-31", "--source", "trans*")

    assert shown.returncode == 0, shown.stderr
    assert "2 of 5 open dead letters" in shown.stdout
    assert "transactions/0 offset 4" in shown.stdout
    assert "transactions/0 offset 2" not in shown.stdout
    assert "not JSON: [red]" in shown.stdout


def test_list_by_reason_counts_what_differs_only_in_its_value_together(database: Database) -> None:
    for number in range(3):
        record_messages([b"x"], f"topic-{number}", f"amount has 3 decimals, more than 2: {number}.001")
    record_messages([b"x"], "other", "account_id is missing")
    conflict = "conflicts with the stored transaction of this id and time: location is '{}: 1', stored is null"
    for number in range(2):
        record_messages([b"x"], f"conflict-{number}", conflict.format(number))

    shown = run_dead_letters(database, "list", "--by-reason").stdout.splitlines()

    found = [line.split()[0] for line in shown if any(word in line for word in ("decimals", "missing", "conflicts"))]
    assert found == ["3", "2", "1"]
    assert "6 open dead letters" in shown


def test_show_gives_everything_and_the_text_or_a_dump(database: Database) -> None:
    record_messages(['{"a": "\u00e9"}'.encode(), b"\xff\x1b[2J", None])
    record_lines(["T1,\n"])
    retry_all()

    shown = [run_dead_letters(database, "show", str(number)) for number in (1, 2, 3, 4, 5)]

    assert [each.returncode for each in shown] == [0, 0, 0, 0, 1]
    assert "topic transactions (id unknown), partition 0, offset 0" in shown[0].stdout
    assert "a rule of old" in shown[0].stdout
    assert shown[0].stdout.endswith('\n{"a": "\u00e9"}\n')
    assert "00000000  ff 1b 5b 32 4a" in shown[1].stdout
    assert "\x1b" not in shown[1].stdout
    assert "no value" in shown[2].stdout
    assert "file day.csv, line 2, job BAT00001" in shown[3].stdout
    assert "there is no dead letter 5" in shown[4].stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("retry",), "--all-open for every one"),
        (("discard", "--yes"), "--all-open for every one"),
        (("discard", "--yes", "--reason", ""), "--all-open for every one"),
        (("discard", "--yes", "--all-open", "1"), "not both"),
        (("discard", "--all-open"), "give --yes"),
        (("retry", "--since", "yesterday"), "'yesterday' is no date or time"),
        (("retry", "9223372036854775808"), "ID"),
    ],
)
def test_use_that_may_be_an_accident_is_refused(database: Database, arguments: tuple[str, ...], complaint: str) -> None:
    record_messages(messages(2))

    refused = run_dead_letters(database, *arguments)

    assert refused.returncode == 2
    assert complaint in " ".join(refused.stderr.split())
    assert fates(database) == [None, None]
    assert database.count("transactions") == 0


def test_discard_marks_what_is_chosen_and_no_retry_takes_it(database: Database) -> None:
    record_messages([b"one", *messages(1)], reason="first")
    record_messages([b"two"], "other", reason="second")

    discarded = run_dead_letters(database, "discard", "--yes", "--reason", "FIRST")

    assert discarded.returncode == 0, discarded.stderr
    assert "Discarded 2 dead letters" in discarded.stderr
    assert fates(database) == ["discarded", "discarded", None]
    assert retry_all().stored == 0
    assert fates(database) == ["discarded", "discarded", None]


@pytest.mark.parametrize(("answer", "fate"), [(b"n\n", None), (b"y\n", "discarded")])
def test_discard_asks_on_a_terminal(database: Database, answer: bytes, fate: str | None) -> None:
    record_messages([b"one"])
    terminal, inside = pty.openpty()

    process = subprocess.Popen(
        [*COMMAND, "dead-letters", "discard", "--all-open"],
        env=database.environment,
        cwd=REPOSITORY,
        stdin=inside,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    os.write(terminal, answer)
    output = process.communicate(timeout=60)[0]
    os.close(terminal)
    os.close(inside)

    assert b"Discard 1 dead letters?" in output
    assert process.returncode == (0 if fate else 1)
    assert fates(database) == [fate]
