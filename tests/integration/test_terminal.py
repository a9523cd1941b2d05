"""What commands print, on a terminal and for programs, when names, reasons and topics hold whatever comes."""

import json
import os
import re
from datetime import datetime
from pathlib import Path

import pytest
from rich.cells import cell_len

from lambda_app.core.visible import visible
from tests.support import components
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.program import run_on_terminal, run_program

# All that a terminal obeys and PostgreSQL stores, an escape sequence, and markup of rich.
OBEYED = [*range(0x01, 0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
NAME = "\x1b[35m[red]x:smile:売" + "".join(map(chr, OBEYED)) + "\n2026-01-31 exact.csv"
OWN_STYLES = re.compile(r"\x1b\[[0-9;]*m")
RAW = f'{{"note": "{NAME}"}}'.encode()


@pytest.fixture
def environment(database: Database, kafka: KafkaServer, topic: str, tmp_path: Path) -> dict[str, str]:
    """With a job, dead letters of a file and of a topic, and files of that name."""
    with database.server.connect(database.name) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO lambda.batch_jobs"
            " (business_date, source, status, attempts, file, content_hash, error, finished_at)"
            " VALUES ('2026-11-23', 'inbox', 'failed', 0, %s, '1', %s, now())",
            (NAME, f"[/red] {NAME}"),
        )
        cursor.execute(
            'INSERT INTO lambda.dead_letters (topic, partition, "offset", file, line, job_id, reason, raw) VALUES'
            " (NULL, NULL, NULL, %(name)s, 3, 'BAT00001', %(name)s, %(raw)s),"
            " (%(name)s, 0, 17, NULL, NULL, NULL, %(name)s, %(binary)s)",
            {"name": NAME, "raw": RAW, "binary": b"\xff\x1b[35m"},
        )
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name in (NAME.encode(), b"\xff\x1b[35m.csv", NAME.encode() + b".txt"):
        path = inbox / os.fsdecode(name)
        path.write_text("no,transactions\n1,2\n", encoding="utf-8")
        os.utime(path, (0, 0))
    table = tmp_path / "components.json"
    table.write_text(components.JSON, encoding="utf-8")
    return {
        **database.environment,
        "LAMBDA_COMPONENTS_FILE": str(table),
        "STATE_DIRECTORY": str(tmp_path),
        **kafka.environment(topic),
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["verify"],
        ["batch", "list"],
        ["batch", "schedule", "--quiet-seconds", "0"],
        ["batch", "run", "--directory", "\x1b[35m"],
        ["dead-letters", "list"],
        ["dead-letters", "list", "--by-reason"],
        ["dead-letters", "show", "1"],
        ["dead-letters", "show", "2"],
        ["dead-letters", "show", NAME],
        ["dead-letters", "retry", "--all-open", f"--{NAME}"],
        ["dead-letters", "retry", "1"],
    ],
    ids=lambda arguments: " ".join(arguments[:3]).encode("unicode_escape").decode()[:40],
)
def test_terminal_gets_no_control_character_of_a_name(arguments, environment):
    written = run_on_terminal(environment, *arguments)

    assert "\x1b[35m" not in written
    assert visible(without_own(written)) == without_own(written)
    assert "Traceback" not in written


def without_own(written: str) -> str:
    """What was written without styles, bars and line breaks of the command itself."""
    written = re.sub(r"\x1b\[(\?25[lh]|\d*[AK])", "", written)
    return OWN_STYLES.sub("", written).replace("\r\n", " ").replace("\r", "")


@pytest.mark.parametrize("arguments", [["status"], ["batch", "schedule", "--quiet-seconds", "0"]])
def test_name_stands_in_a_line_as_it_is(arguments, environment):
    assert visible(NAME) in without_own(run_on_terminal(environment, *arguments))


@pytest.mark.parametrize(
    "arguments", [["batch", "list"], ["dead-letters", "list"], ["dead-letters", "list", "--by-reason"]], ids=" ".join
)
@pytest.mark.parametrize("columns", [80, 160])
def test_table_fits_the_terminal_and_stays_aligned(arguments, columns, environment):
    lines = OWN_STYLES.sub("", run_on_terminal(environment, *arguments, columns=columns)).split("\r\n")
    table = [line for line in lines if line.startswith(" ")]

    assert len(table) > 5
    assert {cell_len(line) for line in table} == {cell_len(table[0])}
    assert cell_len(table[0]) <= columns
    assert "…" not in "".join(table)


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (
            ["status"],
            (
                "healthy reasons target components helpers stream last_job failed_jobs inbox partitions"
                " silent_consumers dead_letters_open disks timers alerts why_no_alerts host other_hosts"
            ),
        ),
        (["verify"], "exact checks"),
        (["batch", "list"], "jobs"),
        (["db", "status"], "up_to_date migrations"),
        (["dead-letters", "list"], "count dead_letters"),
        (["dead-letters", "list", "--by-reason"], "count reasons"),
        (
            ["dead-letters", "show", "1"],
            (
                "id topic topic_id partition offset file line job_id reason received_at resolved_at resolution"
                " raw_text raw_base64"
            ),
        ),
    ],
    ids=" ".join,
)
def test_json_has_its_keys_and_is_plain_ascii(arguments, keys, environment):
    output = run_program(environment, *arguments, "--json").stdout

    assert list(json.loads(output)) == keys.split()
    assert output.isascii()
    assert visible(output.replace("\n", "")) == output.replace("\n", "")


def test_json_of_jobs_and_letters_holds_names_as_they_are_and_times_with_their_zone(environment):
    jobs = json.loads(run_program(environment, "batch", "list", "--json").stdout)["jobs"]
    letters = json.loads(run_program(environment, "dead-letters", "list", "--json").stdout)["dead_letters"]

    assert (jobs[0]["file"], jobs[0]["attempts"], jobs[0]["started_at"]) == (NAME, 0, None)
    assert [letter["reason"] for letter in letters] == [NAME, NAME]
    for time in (jobs[0]["finished_at"], letters[0]["received_at"]):
        assert datetime.fromisoformat(time).utcoffset() is not None


@pytest.mark.parametrize(("letter", "text", "base64"), [("1", RAW.decode(), None), ("2", None, "/xtbMzVt")])
def test_json_of_a_letter_says_how_its_bytes_are_written(letter, text, base64, environment):
    document = json.loads(run_program(environment, "dead-letters", "show", letter, "--json").stdout)

    assert (document["raw_text"], document["raw_base64"]) == (text, base64)


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii"])
def test_output_of_another_encoding_says_what_it_cannot_write(encoding, environment):
    result = run_program({**environment, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}, "dead-letters", "list")

    assert (result.returncode, result.stderr) == (0, "")
    assert "2 open dead letters" in result.stdout
