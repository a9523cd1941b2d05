"""The file of a night, made by the platform itself: written whole or not at all, and the same each time."""

import csv
import os
from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from lambda_app import settings
from lambda_app.batch.directories import make_directory, sync_directory
from lambda_app.core.transaction.generator import GeneratedTransaction, Pools, draw_pools, generate_day

COLUMNS = (
    "transaction_id",
    "account_id",
    "transaction_type",
    "amount",
    "event_time",
    "merchant_category",
    "location",
    "card_present",
    "risk_score",
)


def write_generated_file(directory: Path, day: date, zone: ZoneInfo) -> Path:
    """Writes the day's transactions as CSV; whole or not at all, and the same each time."""
    path = directory / f"transactions-{day}.csv"
    make_directory(directory)
    partial_path = path.with_suffix(".csv.part")
    with partial_path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for each in generate_day(_pools(), day, zone, settings.BATCH_FILE_ROWS):
            writer.writerow(csv_values(each))
        file.flush()
        os.fsync(file.fileno())
    partial_path.replace(path)
    sync_directory(directory)
    return path


def csv_values(each: GeneratedTransaction) -> tuple[str, ...]:
    """A generated transaction as a CSV file's values, in the order of COLUMNS."""
    return (
        each.transaction_id,
        each.account_id,
        each.transaction_type,
        each.amount,
        each.event_time,
        each.merchant.category,
        each.merchant.location,
        "true" if each.card_present else "false",
        each.risk_score,
    )


@cache
def _pools() -> Pools:
    return draw_pools()
