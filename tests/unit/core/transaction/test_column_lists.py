"""A transaction's columns are listed in several places, where one table for all would be too slow: they agree.

Whoever adds a column is led by these tests from place to place.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import get_type_hints

import msgspec

from lambda_app.batch import generated
from lambda_app.core.csv.header import KNOWN_COLUMNS
from lambda_app.core.csv.rows import parse_record
from lambda_app.core.transaction import message, message_bulk
from lambda_app.core.transaction.aggregates import Aggregates, Columns
from lambda_app.core.transaction.conflicts import CONTENT
from lambda_app.core.transaction.copy_text import COLUMNS, encode_row
from lambda_app.core.transaction.generator import TransactionGenerator, draw_pools, render_message
from lambda_app.core.transaction.identifiers import TransactionIds
from lambda_app.core.transaction.message import MAX_LENGTHS, IngestionType, Transaction
from lambda_app.database.queries import Queries

PROJECT = Path(__file__).parents[4]
SCHEMA = PROJECT.joinpath("lambda_app/sql/schema.sql").read_text()
FIELDS = Transaction.__struct_fields__
KEY = {"event_time", "transaction_id"}
# Every field with a value of its own, so that a value in a wrong place shows.
ROW = Transaction(
    job_id="a-job",
    transaction_id="an-id",
    account_id="an-account",
    transaction_type="a-type",
    amount=Decimal("12.34"),
    event_time=datetime(2026, 1, 31, 23, 59, tzinfo=UTC),
    merchant_category="a-category",
    location="a-location",
    card_present=True,
    risk_score=Decimal("0.85"),
)


def names_in(text: str) -> list[str]:
    """The names in a list of SQL, without a table's alias."""
    return re.findall(r"(?:\b[a-z]\.)?\b([a-z_]+)\b(?=\s*(?:,|$))", text, re.MULTILINE)


def test_messages_have_the_fields_of_a_transaction_by_both_parsers() -> None:
    given = {*FIELDS, "timestamp"}

    assert set(message._Fields.__struct_fields__) == given
    assert set(message_bulk._Fields.__struct_fields__) == given


def test_every_text_has_its_longest_length() -> None:
    kinds = get_type_hints(Transaction)

    assert set(MAX_LENGTHS) == {name for name, kind in kinds.items() if kind in (str, str | None)}


def test_copy_writes_every_field_in_the_order_of_its_columns() -> None:
    values = encode_row(ROW, IngestionType.STREAM).removesuffix("\n").split("\t")
    shown = dict(zip(COLUMNS, values, strict=True))

    assert set(COLUMNS) == {*FIELDS, "ingestion_type"}
    assert shown.pop("ingestion_type") == "STREAM"
    assert shown.pop("event_time") == ROW.event_time.isoformat()
    assert shown.pop("card_present") == "t"
    assert shown == {name: str(getattr(ROW, name)) for name in shown}


def test_aggregates_find_their_columns_in_a_line() -> None:
    line = encode_row(msgspec.structs.replace(ROW, merchant_category="only-one"), IngestionType.STREAM)
    expected = Columns(["2026-01-31T23:59"], ["only-one"], ["a-type"], ["12.34"], ["0.85"])

    # Of one row each key is rare, so that it stays as columns.
    [columns] = Aggregates.of_lines([line]).columns

    assert Columns(*map(list, columns)) == expected


def test_table_has_the_columns_that_are_copied() -> None:
    table = SCHEMA.split("CREATE TABLE lambda.transactions (\n")[1].split("\n    CONSTRAINT")[0]
    columns = re.findall(r"^    (\w+) ", table, re.MULTILINE)

    assert set(columns) == {*COLUMNS, "ingested_at"}


def test_a_chunk_in_the_temporary_table_moves_over_with_all_columns() -> None:
    inserted, selected = re.findall(
        r"INSERT INTO lambda.transactions \(\n(.*?)\n *\)\n *SELECT\n(.*?)\n *FROM",
        Queries("storage")["insert_chunk"],
        re.DOTALL,
    )[0]

    assert names_in(inserted) == names_in(selected)
    assert set(names_in(inserted)) == {*COLUMNS, "ingested_at"}


def test_conflicts_are_looked_for_in_every_field_but_the_key() -> None:
    query = Queries("storage")["conflicts"]
    selected = query.split("SELECT\n", 1)[1].split("\nFROM", 1)[0]
    given, stored = (re.findall(rf"\b{table}\.(\w+)", selected.replace("s.are_of_stream", "")) for table in "cs")
    compared = set(re.findall(r"\bt\.(\w+)", query.split("IS DISTINCT FROM", 1)[1]))

    assert set(CONTENT) == set(FIELDS) - KEY
    assert tuple(given[1:]) == tuple(stored) == CONTENT
    assert compared >= set(CONTENT)


def test_files_may_name_every_field_but_the_job() -> None:
    assert {*FIELDS, "timestamp"} - {"job_id"} == KNOWN_COLUMNS


def test_generated_files_and_messages_have_every_field_but_the_job() -> None:
    [transaction] = TransactionGenerator(draw_pools(), TransactionIds(1), seed=1).generate(1_800_000_000_000, 1)
    now = datetime(2027, 1, 16, tzinfo=UTC)

    sent = message.parse_message(render_message(transaction), now)

    assert parse_record(generated.COLUMNS, generated.csv_values(transaction), now, job_id=None) == sent
    assert [name for name in FIELDS if getattr(sent, name) is None] == ["job_id"]


def test_views_show_every_column() -> None:
    view = SCHEMA.split("CREATE VIEW lambda.high_risk_last_hour AS\n")[1].split("FROM lambda")[0]

    assert set(re.findall(r"high_risk_transactions\.(\w+)", view)) == {*COLUMNS, "ingested_at"}


def test_operators_read_of_every_field() -> None:
    table = PROJECT.joinpath("docs/operate.md").read_text().split("| field | what it may be |\n")[1].split("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}

    assert named == {*FIELDS, "timestamp"}
