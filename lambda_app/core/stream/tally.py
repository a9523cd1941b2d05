"""What became of the producer's records, and its metrics."""

from collections.abc import Iterator
from dataclasses import dataclass

from lambda_app.core.metrics import declared
from lambda_app.core.metrics.kinds import Sample


@dataclass(slots=True)
class Tally:
    """What became of the records so far: acknowledged and failed together are at most sent."""

    sent: int = 0
    acknowledged: int = 0
    failed: int = 0
    # Connections that were given up, to begin with another.
    retries: int = 0


def producer_samples(tally: Tally, outstanding: int) -> Iterator[Sample]:
    """The producer's metrics; `outstanding` records are not acknowledged yet."""
    yield declared.PRODUCER_SENT.sample(tally.sent)
    yield declared.PRODUCER_ACKNOWLEDGED.sample(tally.acknowledged)
    yield declared.PRODUCER_LOST.sample(tally.failed)
    yield declared.PRODUCER_OUTSTANDING.sample(outstanding)
    yield declared.PRODUCER_RETRIES.sample(tally.retries)
