"""Transactions of the tests, and chunks of them stored as the stream does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.days import Days
from lambda_app.core.transaction.message import Transaction
from lambda_app.core.transaction.outcome import StoreResult
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import Connection
from lambda_app.database.zone import time_zone
from lambda_app.layers.store import store_chunk
from tests.support.fixtures import Database

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
CONFLICT = "conflicts with the stored transaction of this id and time: "


def row(number: int, **changes: object) -> Transaction:
    fields: dict[str, Any] = {
        "job_id": None,
        "transaction_id": f"TXN-{number}",
        "account_id": "ACC-1",
        "transaction_type": "purchase",
        "amount": Decimal("12.50"),
        "event_time": NOON + timedelta(seconds=number),
        "merchant_category": None,
        "location": None,
        "card_present": None,
        "risk_score": None,
    }
    return Transaction(**(fields | changes))


def store(
    connection: Connection, rows: Sequence[Transaction], ingestion_type: str = "STREAM", expect_duplicates: bool = False
) -> StoreResult:
    lines = [encode_row(each, ingestion_type) for each in rows]
    return store_chunk(connection, Rows.of(lines), Days(time_zone(connection)), expect_duplicates)


def stored_ids(database: Database) -> list[str]:
    return [str(r[0]) for r in database.query("SELECT transaction_id FROM lambda.transactions ORDER BY 1")]
