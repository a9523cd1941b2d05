"""Text sent into a table by COPY."""

import io
from collections.abc import Iterable, Sequence

import psycopg2
import psycopg2.errors

from lambda_app.database.connection import Connection

_COPY_BUFFER_BYTES = 256 * 1024


def copy_in(connection: Connection, table: str, columns: Sequence[str], text: bytes) -> None:
    """Sends a COPY text into a table."""
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", io.BytesIO(text), _COPY_BUFFER_BYTES)


def copy_parts(connection: Connection, table: str, columns: Sequence[str], parts: Iterable[bytes]) -> None:
    """Sends COPY text that is still being made: PostgreSQL stores one part while the next is made."""
    file = _Parts(parts)
    with connection.cursor() as cursor:
        try:
            cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", file)
        except psycopg2.Error:
            # PostgreSQL's error says only that the client gave up; the iterator's own says why.
            if file.error:
                raise file.error from None
            raise


class _Parts(io.RawIOBase):
    """A file that gives a part with each read, however long it is."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        super().__init__()
        self._parts = filter(None, parts)
        self.error: BaseException | None = None

    def read(self, _: int | None = -1, /) -> bytes:
        try:
            return next(self._parts, b"")
        except BaseException as error:
            self.error = error
            raise
