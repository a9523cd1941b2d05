"""What the fault drills share: how long they are, and how they see rows flow."""

import os
import threading
import time
from collections import defaultdict
from typing import TypeVar

from tests.support.fixtures import Database
from tests.support.processes import wait_until

IS_LONG = bool(os.environ.get("LAMBDA_TEST_LONG"))
TIMEOUT_SECONDS = 3600 if IS_LONG else 120

T = TypeVar("T")


def choose(short: T, long: T) -> T:
    """The second with `./platform test --long`."""
    return long if IS_LONG else short


def seconds_until_all_flow(database: Database, since: float, limit_seconds: float, of_any_age: bool = False) -> float:
    """Waits until rows come from all four partitions after that moment (time.time()).

    Of messages sent after it, or (when much was missed meanwhile) of any age.
    """
    column = "updated_at" if of_any_age else "last_timestamp"
    flowing = f"SELECT count(*) FROM lambda.stream_offsets WHERE {column} > to_timestamp({since})"
    wait_until(
        lambda: database.value(flowing) == 4,
        since + limit_seconds - time.time(),
        f"rows of all partitions, {limit_seconds} s after the fault,",
    )
    return time.time() - since


class Flow(threading.Thread):
    """Watches each partition's offset while the block runs: how long did it stand still?"""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self._connection = database.server.connect(database.name)
        self._is_over = threading.Event()
        # When each partition was seen to have moved.
        self._moments: dict[int, list[float]] = defaultdict(list)

    def __enter__(self) -> "Flow":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()
        self._connection.close()

    def run(self) -> None:
        offsets: dict[int, int] = {}
        with self._connection.cursor() as cursor:
            while not self._is_over.wait(0.02):
                cursor.execute("SELECT partition, next_offset FROM lambda.stream_offsets")
                for partition, offset in cursor.fetchall():
                    if offsets.get(partition) != offset:
                        offsets[partition] = offset
                        self._moments[partition].append(time.monotonic())

    def longest_stops(self, since: float) -> dict[int, float]:
        """Of each partition the longest time without a new row that lasted into the time after `since` (monotonic)."""
        now = time.monotonic()
        return {
            partition: max(
                later - earlier for earlier, later in zip(moments, [*moments[1:], now], strict=True) if later > since
            )
            for partition, moments in self._moments.items()
        }
