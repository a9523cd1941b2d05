"""Files loaded: their rows and their bad lines, inside the caller's transaction.

Memory stays bounded whatever the size of a file.
"""

import gc
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lambda_app import settings
from lambda_app.batch.compressed_files import GunzippedFile, HashedFile, is_compressed
from lambda_app.core.csv.bulk import CsvFile
from lambda_app.core.csv.chunk import OpenChunk, Pieces
from lambda_app.core.csv.header import NO_HEADER, Header
from lambda_app.core.transaction.message import IngestionType
from lambda_app.core.transaction.outcome import DeadLetter, StoreResult
from lambda_app.database.connection import Connection
from lambda_app.errors import InvalidFile
from lambda_app.layers.day_tables import DayTables
from lambda_app.layers.dead_letters import record_dead_letters
from lambda_app.layers.store import Store

# Objects between two garbage collections. Rows that wait are still in use and form no cycles, so collections find
# nothing.
GC_THRESHOLD = 100_000


@dataclass
class LoadedFile:
    """What became of a file's records, its header, and what identifies the bytes read."""

    read: int = 0
    loaded: int = 0
    duplicate: int = 0
    rejected: int = 0
    header: Header = NO_HEADER
    content_hash: bytes = b""


def load_file(store: Store, table_maker: Connection, path: Path, name: str, job_id: str, now: datetime) -> LoadedFile:
    """Stores the file's rows, and its bad lines as dead letters of the file `name`, inside the store's transaction.

    Tables of days are created on a connection of their own and at once, so that no other program waits for a long load.
    Raises InvalidFile when the header is of no use or every line is bad.
    """
    gc.set_threshold(GC_THRESHOLD)
    loader = _Loader(store, table_maker, name, job_id)
    with path.open("rb") as opened:
        file = HashedFile(opened)
        source = CsvFile(GunzippedFile(file) if is_compressed(name) else file, job_id, IngestionType.BATCH)
        loader.load(Pieces(source.pieces(now)))
    loaded = loader.loaded
    if loaded.read and loaded.read == loaded.rejected:
        raise InvalidFile(f"each of its {loaded.read:,} records is bad; {loader.first_reason}")
    loaded.header = source.header
    loaded.content_hash = file.sha256.digest()
    return loaded


class _Loader:
    """Stores a file chunk by chunk; a chunk is stored while it is read."""

    def __init__(self, store: Store, table_maker: Connection, name: str, job_id: str) -> None:
        self.loaded = LoadedFile()
        self.first_reason = ""
        self._store = store
        self._day_tables = DayTables(table_maker, store.days)
        self._name = name
        self._job_id = job_id

    def load(self, pieces: Pieces) -> None:
        while (piece := pieces.peek()) is not None:
            self._day_tables.ensure(piece.rows)
            # A COPY does not see a table that is created after its start: rows of such a day begin the next chunk.
            chunk = OpenChunk(pieces, settings.BATCH_CHUNK_ROWS, self._day_tables.has_all_for)
            # Where some rows are stored already, there are more: no need to find out each time.
            result = self._store.add_while_read(chunk, self.loaded.duplicate > 0)
            self._account(chunk, result)

    def _account(self, chunk: OpenChunk, result: StoreResult) -> None:
        rejected = chunk.rejected(result.refused)
        letters = [
            DeadLetter(each.reason, each.raw, file=self._name, line=each.line, job_id=self._job_id) for each in rejected
        ]
        record_dead_letters(self._store.connection, letters)
        if rejected and not self.first_reason:
            self.first_reason = f"the first, in line {rejected[0].line}: {rejected[0].reason}"
        self.loaded.read += len(chunk)
        self.loaded.loaded += result.stored
        self.loaded.duplicate += result.duplicate
        self.loaded.rejected += len(rejected)
