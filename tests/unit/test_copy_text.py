"""COPY's text format, read back by a decoder that knows only PostgreSQL's documentation."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.copy_text import COLUMNS, encode_rows
from lambda_app.core.message import Transaction

ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def decode(text: bytes) -> list[list[str | None]]:
    lines = text.decode().split("\n")
    assert lines.pop() == ""
    return [[decode_column(column) for column in line.split("\t")] for line in lines]


def decode_column(column: str) -> str | None:
    if column == "\\N":
        return None
    characters = iter(column)
    return "".join(ESCAPES.get(escaped := next(characters), escaped) if c == "\\" else c for c in characters)


def transaction(**changes: object) -> Transaction:
    fields: dict[str, object] = {
        "job_id": None,
        "transaction_id": "TXN-1",
        "account_id": "ACC-1",
        "transaction_type": "purchase",
        "amount": Decimal("12.50"),
        "event_time": datetime(2026, 6, 15, 12, 0, 0, 5, tzinfo=UTC),
        "merchant_category": None,
        "location": None,
        "card_present": None,
        "risk_score": None,
    }
    return Transaction(**(fields | changes))  # type: ignore[arg-type]


def test_row_is_written_in_the_order_of_the_columns() -> None:
    row = transaction(
        job_id="J1", merchant_category="gas", location="Bonn", card_present=True, risk_score=Decimal("0.85")
    )

    assert encode_rows([row], "STREAM") == (
        b"J1\tTXN-1\tACC-1\tpurchase\t12.50\t2026-06-15 12:00:00.000005+00:00\tgas\tBonn\tt\t0.85\tSTREAM\n"
    )
    assert len(COLUMNS) == 11


def test_row_without_its_optional_values_has_nulls() -> None:
    assert encode_rows([transaction()], "BATCH") == (
        b"\\N\tTXN-1\tACC-1\tpurchase\t12.50\t2026-06-15 12:00:00.000005+00:00\t\\N\t\\N\t\\N\t\\N\tBATCH\n"
    )


def test_text_that_looks_like_null_or_the_end_is_text() -> None:
    rows = [transaction(location="\\N", merchant_category="\\."), transaction(location="", job_id="\\")]

    decoded = decode(encode_rows(rows, "STREAM"))

    assert [row[7] for row in decoded] == ["\\N", ""]
    assert (decoded[0][6], decoded[1][0]) == ("\\.", "\\")


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.lists(st.tuples(texts | st.none(), texts, texts, texts, texts | st.none(), texts | st.none()), max_size=5))
def test_any_text_comes_back_the_same(rows: list[tuple[str | None, ...]]) -> None:
    names = ("job_id", "transaction_id", "account_id", "transaction_type", "merchant_category", "location")
    transactions = [transaction(**dict(zip(names, row, strict=True))) for row in rows]

    decoded = decode(encode_rows(transactions, "STREAM"))

    assert [tuple(row[i] for i in (0, 1, 2, 3, 6, 7)) for row in decoded] == rows


@given(st.datetimes(min_value=datetime(2000, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_any_time_is_written_with_its_offset(time: datetime, minutes: int) -> None:
    aware = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    column = decode(encode_rows([transaction(event_time=aware)], "STREAM"))[0][5]

    assert column is not None
    assert datetime.fromisoformat(column) == aware
