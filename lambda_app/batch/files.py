"""The batch's CSV files: written whole or not at all, loaded inside the caller's transaction.

Memory stays bounded whatever the size of a file.
"""

import csv
import gc
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from lambda_app import settings
from lambda_app.batch.compressed_files import GunzippedFile, HashedFile, is_compressed
from lambda_app.batch.directories import make_directory, sync_directory
from lambda_app.core.csv.bulk import CsvFile, Piece
from lambda_app.core.csv.header import NO_HEADER, Header
from lambda_app.core.csv.records import RejectedLine
from lambda_app.core.transaction.generator import GeneratedTransaction, Pools, draw_pools, generate_day
from lambda_app.core.transaction.message import IngestionType
from lambda_app.core.transaction.outcome import DeadLetter, StoreResult
from lambda_app.core.transaction.rows import Rows
from lambda_app.database.connection import Connection
from lambda_app.errors import InvalidFile
from lambda_app.layers.day_tables import Partitions
from lambda_app.layers.dead_letters import record_dead_letters
from lambda_app.layers.store import Store

# Rows are no garbage while they wait, and hold no cycles: Python need not look for any that often.
GC_THRESHOLD = 100_000

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
    """What became of a file's records, its header, and what identifies the bytes read."""

    read: int = 0
    loaded: int = 0
    duplicate: int = 0
    rejected: int = 0
    header: Header = NO_HEADER
    content_hash: bytes = b""


def load_file(
    store: Store, partition_maker: Connection, path: Path, name: str, job_id: str, now: datetime
) -> LoadedFile:
    """Stores the file's rows, and its bad lines as dead letters of the file `name`, inside the store's transaction.

    Partitions are made on a connection of their own and at once, so that no other program waits for a long load.
    Raises InvalidFile when the header is of no use or every line is bad.
    """
    gc.set_threshold(GC_THRESHOLD)
    loader = _Loader(store, partition_maker, name, job_id)
    with path.open("rb") as opened:
        file = HashedFile(opened)
        source = CsvFile(GunzippedFile(file) if is_compressed(name) else file, job_id, IngestionType.BATCH)
        loader.load(source.pieces(now))
    loaded = loader.loaded
    if loaded.read and loaded.read == loaded.rejected:
        raise InvalidFile(f"each of its {loaded.read:,} records is bad; {loader.first_reason}")
    loaded.header = source.header
    loaded.content_hash = file.sha256.digest()
    return loaded


class _Loader:
    """Stores a file chunk by chunk; a chunk is stored while it is read."""

    def __init__(self, store: Store, partition_maker: Connection, name: str, job_id: str) -> None:
        self.loaded = LoadedFile()
        self.first_reason = ""
        self._store = store
        self._partitions = Partitions(partition_maker, store.days)
        self._name = name
        self._job_id = job_id
        self._next: Piece | None = None

    def load(self, pieces: Iterator[Piece]) -> None:
        self._next = next(pieces, None)
        while self._next is not None:
            self._partitions.ensure(self._next.rows)
            chunk: list[Piece] = []
            # Where some rows are stored already, there are more: no need to find out each time.
            result = self._store.add_while_read(self._read_chunk(pieces, chunk), self.loaded.duplicate > 0)
            self._account(chunk, result)

    def _read_chunk(self, pieces: Iterator[Piece], chunk: list[Piece]) -> Iterator[Rows]:
        """Gives the rows of pieces that it adds to the chunk, up to one that needs another partition."""
        size = 0
        while self._next is not None and not self._partitions.lack(self._next.rows):
            chunk.append(self._next)
            size += len(self._next)
            yield self._next.rows
            self._next = next(pieces, None)
            if size >= settings.BATCH_CHUNK_ROWS:
                return

    def _account(self, chunk: Sequence[Piece], result: StoreResult) -> None:
        rejected = [each for piece in chunk for each in piece.rejected]
        if result.refused:
            origins = [origin for piece in chunk for origin in zip(piece.lines, piece.raws, strict=True)]
            rejected += [RejectedLine(*origins[refusal.index], refusal.reason) for refusal in result.refused]
            rejected.sort(key=lambda each: each.line)
        letters = [
            DeadLetter(each.reason, each.raw, file=self._name, line=each.line, job_id=self._job_id) for each in rejected
        ]
        record_dead_letters(self._store.connection, letters)
        if rejected and not self.first_reason:
            self.first_reason = f"the first, in line {rejected[0].line}: {rejected[0].reason}"
        self.loaded.read += sum(map(len, chunk))
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
