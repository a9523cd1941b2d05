"""A chunk of a file while it grows: its pieces are read as PostgreSQL takes them, and remembered for the account."""

from collections.abc import Callable, Iterator, Sequence

from lambda_app.core.csv.bulk import Piece
from lambda_app.core.csv.records import RejectedLine
from lambda_app.core.transaction.outcome import Refusal
from lambda_app.core.transaction.rows import Rows


class Pieces:
    """The pieces of a file in their order; the next one can be looked at before it is taken."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._next: Piece | None = None

    def peek(self) -> Piece | None:
        """The next piece, None at the end of the file. Reads it when nobody has looked at it yet."""
        if self._next is None:
            self._next = next(self._pieces, None)
        return self._next

    def skip(self) -> None:
        """Passes over the piece that was looked at."""
        self._next = None


class OpenChunk:
    """Iterates over the rows of a chunk, a piece at each step, and reads the file no further than it was asked.

    PostgreSQL asks, from inside the COPY that stores the steps before. The chunk ends when it has `most_records`, with
    the file, and before a piece that does not fit into it. The first piece always fits.
    """

    def __init__(self, pieces: Pieces, most_records: int, fits: Callable[[Rows], bool]) -> None:
        self._source = pieces
        self._most_records = most_records
        self._fits = fits
        self._pieces: list[Piece] = []
        self._count = 0

    def __len__(self) -> int:
        """How many records were read, valid or not."""
        return self._count

    def __iter__(self) -> "OpenChunk":
        return self

    def __next__(self) -> Rows:
        if self._count >= self._most_records:
            raise StopIteration
        piece = self._source.peek()
        if piece is None or (self._pieces and not self._fits(piece.rows)):
            raise StopIteration
        self._source.skip()
        self._pieces.append(piece)
        self._count += len(piece)
        return piece.rows

    def rejected(self, refused: Sequence[Refusal]) -> list[RejectedLine]:
        """The records that are not stored, in the order of the file: those not valid, and these that were refused."""
        rejected = [each for piece in self._pieces for each in piece.rejected]
        if refused:
            origins = [origin for piece in self._pieces for origin in zip(piece.lines, piece.raws, strict=True)]
            rejected += [RejectedLine(*origins[refusal.index], refusal.reason) for refusal in refused]
            rejected.sort(key=lambda each: each.line)
        return rejected
