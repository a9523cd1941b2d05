"""How fast a backlog goes in whose times come in no order, beside one in order, and what readers see right after it."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

from tests.benchmark.drain import MESSAGES, Drain, drain
from tests.benchmark.figures import PAIRS, Figure, figure, ratio
from tests.benchmark.platform_under_test import PlatformUnderTest, fill_topic
from tests.benchmark.serving import CONDITIONS, milliseconds
from tests.support.processes import wait_until

WORKERS = 2
# The topics, and how far their times are spread.
SPREADS = {"in order": None, "one day": timedelta(days=1), "thirty days": timedelta(days=30)}
READ = ("a minute", "an hour", "yesterday")
FOLDED_WITHIN_SECONDS = 120


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    drains: dict[str, list[Drain]] = {name: [] for name in SPREADS}
    looks: dict[str, list[RightAfter]] = {name: [] for name in SPREADS}
    for name, spread in SPREADS.items():
        fill_topic(platform.kafka, _topic(name), MESSAGES, spread=spread)
    for _ in range(PAIRS):
        for name, measured in drains.items():
            with platform.database() as database:
                seen = RightAfter(platform, database)
                measured.append(
                    drain(platform, database, WORKERS, topic=_topic(name), at_end=seen.look, reach=timedelta(days=32))
                )
            looks[name].append(seen)
    ordered = [each.rows_per_second for each in drains["in order"]]
    for name, measured in drains.items():
        rates = [each.rows_per_second for each in measured]
        yield figure(f"drain, {name}", rates, "rows/s")
        if rates != ordered:
            yield ratio(f"drain, {name}, in the one in order", rates, ordered, at_least=0.8)
        yield figure(f"client CPU a row, {name}", [each.client_microseconds for each in measured], "us")
        yield figure(f"PostgreSQL CPU a row, {name}", [each.postgres_microseconds for each in measured], "us")
        for what in READ:
            yield figure(f"{what} of transaction_stats, right after", [each.first[what] for each in looks[name]], "ms")
        yield figure("all aggregates worked out, after", [each.seconds for each in looks[name]], "s")
        for what in READ:
            yield figure(f"{what} of transaction_stats, then", [each.then[what] for each in looks[name]], "ms")


class RightAfter:
    """What readers see at the end of a drain, and when all aggregates are worked out."""

    def __init__(self, platform: PlatformUnderTest, database: str) -> None:
        self._platform = platform
        self._database = database
        self.first: dict[str, float] = {}
        self.seconds = 0.0
        self.then: dict[str, float] = {}

    def look(self) -> None:
        started = time.monotonic()
        self.first = self._read()
        wait_until(lambda: not self._uncounted(), FOLDED_WITHIN_SECONDS, "aggregates")
        self.seconds = time.monotonic() - started
        self.then = self._read()

    def _read(self) -> dict[str, float]:
        return {
            what: milliseconds(self._platform, self._database, f"transaction_stats WHERE {CONDITIONS[what]}", runs=1)
            for what in READ
        }

    def _uncounted(self) -> int:
        with closing(self._platform.postgres.connect(self._database)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM lambda.uncounted_minutes")
            [(count,)] = cursor.fetchall()
            return int(count)


def _topic(name: str) -> str:
    return "disorder-" + name.replace(" ", "-")
