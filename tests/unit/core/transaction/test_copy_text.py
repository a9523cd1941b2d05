"""COPY's text format, read back by a decoder that knows only PostgreSQL's documentation."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from lambda_app.core.transaction.copy_text import COLUMNS, encode_row
from lambda_app.core.transaction.message import Transaction

ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def decode(line: str) -> list[str | None]:
    assert line.endswith("\n")
    return [decode_column(column) for column in line[:-1].split("\t")]


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

    assert encode_row(row, "STREAM") == (
        "2026-06-15T12:00:00.000005+00:00\tTXN-1\tACC-1\tpurchase\t12.50\tgas\tBonn\tt\t0.85\tJ1\tSTREAM\n"
    )
    assert len(COLUMNS) == 11


def test_row_without_its_optional_values_has_nulls() -> None:
    assert encode_row(transaction(), "BATCH") == (
        "2026-06-15T12:00:00.000005+00:00\tTXN-1\tACC-1\tpurchase\t12.50\t\\N\t\\N\t\\N\t\\N\t\\N\tBATCH\n"
    )


def test_text_that_looks_like_null_or_the_end_is_text() -> None:
    row = decode(encode_row(transaction(location="\\N", merchant_category="\\.", job_id=""), "STREAM"))

    assert (row[5], row[6], row[9]) == ("\\.", "\\N", "")


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.tuples(texts, texts, texts, texts | st.none(), texts | st.none(), texts | st.none()))
def test_any_text_comes_back_the_same(row: tuple[str | None, ...]) -> None:
    names = ("transaction_id", "account_id", "transaction_type", "merchant_category", "location", "job_id")

    decoded = decode(encode_row(transaction(**dict(zip(names, row, strict=True))), "STREAM"))

    assert tuple(decoded[i] for i in (1, 2, 3, 5, 6, 9)) == row


@given(st.datetimes(min_value=datetime(2000, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_any_time_is_written_with_its_offset(time: datetime, minutes: int) -> None:
    aware = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    column = decode(encode_row(transaction(event_time=aware), "STREAM"))[0]

    assert column is not None
    assert datetime.fromisoformat(column) == aware
