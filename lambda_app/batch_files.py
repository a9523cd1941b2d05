"""The batch's CSV files: written whole or not at all, loaded inside the caller's transaction.

Memory stays bounded whatever the size of a file.
"""

import csv
import hashlib
import os
import sys
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from lambda_app import settings
from lambda_app.core.csv_bulk import CsvFile, Piece
from lambda_app.core.csv_records import RejectedLine
from lambda_app.core.generator import GeneratedTransaction, Pools, draw_pools, generate_day
from lambda_app.database import Connection, transaction
from lambda_app.directories import make_directory, sync_directory
from lambda_app.errors import InvalidFile
from lambda_app.storage import DeadLetter, Store, ensure_partitions, record_dead_letters

INGESTION_TYPE = "BATCH"
# So often Python looks whether its other thread has something to do: each answer of PostgreSQL's waits for it.
SWITCH_SECONDS = 0.0002

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
class LoadedFile:
    """What became of a file's records, the columns that its header names, and what identifies the bytes read."""

    read: int = 0
    loaded: int = 0
    duplicate: int = 0
    rejected: int = 0
    header: Sequence[str] = ()
    content_hash: bytes = b""


def load_file(
    store: Store, partition_maker: Connection, path: Path, name: str, job_id: str, now: datetime
) -> LoadedFile:
    """Stores the file's rows, and its bad lines as dead letters of the file `name`, inside the store's transaction.

    While some rows are stored, the next are read. Partitions are made on a connection of their own and at once, so that
    no other program waits for a long load. Raises InvalidFile when the header is of no use or every line is bad.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    loader = _Loader(store, partition_maker, name, job_id)
    with path.open("rb") as opened, ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader") as thread:
        file = _HashedFile(opened)
        source = CsvFile(file, job_id, INGESTION_TYPE)
        in_flight: deque[Future[None]] = deque()
        for piece in source.pieces(now, settings.BATCH_CHUNK_ROWS):
            in_flight.append(thread.submit(loader.store, piece))
            if len(in_flight) > settings.BATCH_CHUNKS_AHEAD:
                in_flight.popleft().result()
        for each in in_flight:
            each.result()
    loaded = loader.loaded
    if loaded.read and loaded.read == loaded.rejected:
        raise InvalidFile(f"each of its {loaded.read:,} records is bad; {loader.first_reason}")
    loaded.header = source.header
    loaded.content_hash = file.sha256.digest()
    return loaded


class _HashedFile:
    """A file, and the SHA-256 of what was read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        return self._hashed(self._file.read(size))

    def readline(self, size: int) -> bytes:
        return self._hashed(self._file.readline(size))

    def _hashed(self, content: bytes) -> bytes:
        self.sha256.update(content)
        return content


class _Loader:
    """Stores a file piece by piece."""

    def __init__(self, store: Store, partition_maker: Connection, name: str, job_id: str) -> None:
        self.loaded = LoadedFile()
        self.first_reason = ""
        self._store = store
        self._partition_maker = partition_maker
        self._name = name
        self._job_id = job_id
        self._known_days: set[date] = set()

    def store(self, piece: Piece) -> None:
        days = self._store.days.of(piece.rows.minutes()) - self._known_days
        if days:
            with transaction(self._partition_maker):
                ensure_partitions(self._partition_maker, days)
            self._known_days |= days
        # Where some rows are stored already, there are more: no need to find out each time.
        result = self._store.add(piece.rows, expect_duplicates=self.loaded.duplicate > 0)
        rejected = piece.rejected + [
            RejectedLine(piece.lines[refusal.index], piece.raws[refusal.index], refusal.reason)
            for refusal in result.refused
        ]
        rejected.sort(key=lambda each: each.line)
        letters = [
            DeadLetter(each.reason, each.raw, file=self._name, line=each.line, job_id=self._job_id) for each in rejected
        ]
        record_dead_letters(self._store.connection, letters)
        if rejected and not self.first_reason:
            self.first_reason = f"the first, in line {rejected[0].line}: {rejected[0].reason}"
        self.loaded.read += len(piece)
        self.loaded.loaded += result.stored
        self.loaded.duplicate += result.duplicate
        self.loaded.rejected += len(rejected)


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
