"""Records of Kafka as the consumer handles them: many of one partition at once."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one partition that follow each other, at least one."""

    partition: int
    # Ascending, with holes where the log has no record for us.
    offsets: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    # The last record's time, in milliseconds since 1970.
    timestamp: int
    leader_epoch: int | None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def next_offset(self) -> int:
        """The offset behind the last record."""
        return self.offsets[-1] + 1

    def starting_at(self, offset: int) -> "Run | None":
        """The records from this offset on; None when there are none."""
        if self.offsets[0] >= offset:
            return self
        skipped = sum(1 for each in self.offsets if each < offset)
        if skipped == len(self):
            return None
        return Run(
            self.partition,
            self.offsets[skipped:],
            self.keys[skipped:],
            self.values[skipped:],
            self.timestamp,
            self.leader_epoch,
        )
