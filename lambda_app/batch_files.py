"""The batch's CSV files: written whole or not at all, loaded inside the caller's transaction.

Memory stays bounded whatever the size of a file.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from lambda_app import settings
from lambda_app.core.copy_text import encode_row
from lambda_app.core.csv_rows import AcceptedLine, RejectedLine, parse_csv
from lambda_app.core.generator import Pools, draw_pools, generate_day
from lambda_app.core.rows import Rows
from lambda_app.database import Connection, transaction
from lambda_app.storage import DeadLetter, Store, ensure_partitions, record_dead_letters

# Longer lines are read in pieces of this size, which no row survives.
LONGEST_LINE_BYTES = 1024 * 1024
INGESTION_TYPE = "BATCH"

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


@dataclass
class FileCounts:
    """What became of a file's records."""

    read: int = 0
    loaded: int = 0
    duplicate: int = 0
    rejected: int = 0


def load_file(store: Store, partition_maker: Connection, path: Path, job_id: str, now: datetime) -> FileCounts:
    """Stores the file's rows, and its bad lines as dead letters.

    Partitions are made on a connection of their own and at once, so that no other program waits for a long load.
    """
    counts = FileCounts()
    with path.open("rb") as file:
        records = parse_csv(iter(partial(file.readline, LONGEST_LINE_BYTES), b""), now, job_id)
        while piece := list(islice(records, settings.BATCH_CHUNK_ROWS)):
            _store_piece(store, partition_maker, path.name, job_id, piece, counts)
    return counts


def _store_piece(
    store: Store,
    partition_maker: Connection,
    file: str,
    job_id: str,
    piece: list[AcceptedLine | RejectedLine],
    counts: FileCounts,
) -> None:
    accepted = [each for each in piece if isinstance(each, AcceptedLine)]
    rejected = [each for each in piece if isinstance(each, RejectedLine)]
    rows = Rows.of([encode_row(each.transaction, INGESTION_TYPE) for each in accepted])
    with transaction(partition_maker):
        ensure_partitions(partition_maker, store.days.of(rows.minutes()))
    # Where some rows are stored already, there are more: no need to find out each time.
    result = store.add(rows, expect_duplicates=counts.duplicate > 0)
    for refusal in result.refused:
        line = accepted[refusal.index]
        rejected.append(RejectedLine(line.line, line.raw, refusal.reason))
    rejected.sort(key=lambda each: each.line)
    record_dead_letters(
        store.connection,
        [DeadLetter(each.reason, each.raw, file=file, line=each.line, job_id=job_id) for each in rejected],
    )
    counts.read += len(piece)
    counts.loaded += result.stored
    counts.duplicate += result.duplicate
    counts.rejected += len(rejected)


def write_generated_file(directory: Path, day: date, zone: ZoneInfo) -> Path:
    """Writes the day's transactions as CSV; whole or not at all, and the same each time."""
    path = directory / f"transactions-{day}.csv"
    _make_directory(directory)
    partial_path = path.with_suffix(".csv.part")
    with partial_path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_csv_rows(day, zone))
        file.flush()
        os.fsync(file.fileno())
    partial_path.replace(path)
    _sync_directory(directory)
    return path


def _csv_rows(day: date, zone: ZoneInfo) -> Iterator[tuple[str, ...]]:
    for each in generate_day(_pools(), day, zone, settings.BATCH_FILE_ROWS):
        yield (
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


def _make_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    directory.mkdir(mode=0o750, parents=True)
    if os.geteuid() == 0:
        # Run by hand as root: the unit's user must still be able to write here.
        owner = directory.parent.stat()
        os.chown(directory, owner.st_uid, owner.st_gid)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
