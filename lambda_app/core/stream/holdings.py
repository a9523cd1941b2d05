"""What a worker holds of its partitions, and what each thing that happens to them makes of it.

The worker asks here, and carries out what follows. Whatever fails, the answer is `clear`: PostgreSQL
knows what is stored, and the next `take_over` begins there.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from lambda_app.core.stream.offsets import StoredPosition, fingerprint
from lambda_app.core.stream.run import Run
from lambda_app.errors import PositionVoid


class Holdings:
    """The partitions that a worker has started, each with the offset to read next and the one that is stored."""

    def __init__(self) -> None:
        self._read: dict[int, int] = {}
        self._stored: dict[int, int] = {}
        # Hash of the last record stored of a partition; the next records of its log must begin with that one.
        self._unproven: dict[int, bytes] = {}
        # Partitions whose log began with another record, until their gap is recorded.
        self._refuted: set[int] = set()
        self._topic_id: UUID | None = None

    def __bool__(self) -> bool:
        """Whether a partition is held."""
        return bool(self._read)

    def __len__(self) -> int:
        return len(self._read)

    @property
    def read(self) -> Mapping[int, int]:
        """The offset to read next of each partition."""
        return self._read

    @property
    def stored(self) -> Mapping[int, int]:
        """The offset behind the last message stored of each partition."""
        return self._stored

    @property
    def refuted(self) -> Collection[int]:
        """Partitions whose log does not hold what was read of it."""
        return self._refuted

    @property
    def topic_id(self) -> UUID | None:
        """The topic that the offsets are of."""
        return self._topic_id

    def are_of(self, topic_id: UUID | None) -> bool:
        """Whether the offsets mean anything in this topic: one of the same name that was recreated has another id."""
        return not self._read or topic_id == self._topic_id

    def lost(self, assigned: Collection[int]) -> set[int]:
        """The partitions that the group has given to others: these are not among the assigned."""
        return self._read.keys() - set(assigned)

    def give_up(self, partitions: Iterable[int]) -> None:
        """Lets go of partitions; what is still being stored of them is no longer noted."""
        for partition in partitions:
            del self._read[partition], self._stored[partition]
            self._unproven.pop(partition, None)

    def clear(self) -> None:
        """Lets go of all. What was refuted is remembered: it has yet to be recorded."""
        self._read.clear()
        self._stored.clear()
        self._unproven.clear()
        self._topic_id = None

    def take_over(
        self,
        topic_id: UUID | None,
        found: Mapping[int, int],
        stored: Mapping[int, StoredPosition],
        log_starts: Mapping[int, int],
    ) -> dict[int, int]:
        """Holds the partitions that were found to go on at these offsets; gives the offset to start reading each at.

        That is one record earlier where the log still has the last one stored: it must prove to be the same.
        """
        # Those that another worker has by now too: it sees for itself.
        self._refuted.clear()
        self._topic_id = topic_id
        self._read.update(found)
        self._stored.update(found)
        for partition, offset in found.items():
            before = stored.get(partition)
            if before and before.last_hash and before.next_offset == offset > log_starts[partition]:
                self._unproven[partition] = before.last_hash
        return {partition: offset - (partition in self._unproven) for partition, offset in found.items()}

    def take(self, runs: Iterable[Run]) -> list[Run]:
        """What of these runs is new, in their order; `note_read` says that it was taken.

        Raises PositionVoid when a log is not the one that was read before: then none of them was taken.
        """
        return [new for run in runs if (new := self._new_of(run))]

    def note_read(self, runs: Sequence[Run]) -> None:
        """These runs are in the worker's hands."""
        self._read.update({run.partition: run.next_offset for run in runs})

    def note_stored(self, next_offsets: Mapping[int, int]) -> None:
        """The messages before these offsets are stored; of partitions that were given up nothing is noted."""
        self._stored.update({p: offset for p, offset in next_offsets.items() if p in self._read})

    def _new_of(self, run: Run) -> Run | None:
        offset = self._read.get(run.partition)
        if offset is None:
            return None
        last_hash = self._unproven.pop(run.partition, None)
        if last_hash:
            if run.offsets[0] != offset - 1 or fingerprint(run.keys[0], run.values[0]) != last_hash:
                self._refuted.add(run.partition)
                raise PositionVoid(f"Partition {run.partition} does not hold what we read at offset {offset - 1}")
            return run.starting_at(offset)
        if run.offsets[0] < offset:
            raise PositionVoid(f"Partition {run.partition} gave offset {run.offsets[0]} again")
        return run
