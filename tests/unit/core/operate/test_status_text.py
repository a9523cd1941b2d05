"""What status says of single facts, and that the longest of it fits 80 columns."""

from datetime import UTC, datetime, timedelta

import pytest

from lambda_app.core.operate.disks import DiskFacts
from lambda_app.core.operate.health import StreamFacts, UnitFacts
from lambda_app.core.operate.partitions import PartitionRow
from lambda_app.core.operate.status_text import (
    disk_text,
    letters_text,
    partition_cells,
    size,
    span,
    stream_text,
    timers_text,
    use_cells,
)
from lambda_app.core.operate.timers import TimerFacts, parse_shown_time
from tests.support.components import TABLE

LABEL = 10
NOW = datetime(2026, 11, 29, 22, 0, tzinfo=UTC)
BUSY = UnitFacts(
    loaded=True,
    memory_bytes=1023 * 2**20,
    memory_limit_bytes=64 * 2**30,
    cpu_share=4.0,
    cpu_limit_share=4.0,
    restarts=12_345,
    throttled_share=1.0,
)


def test_use_is_in_percent_of_a_core_and_in_units_of_systemd():
    assert use_cells(BUSY) == ["400%", "400%", "100%", "1023M", "64.0G", "12,345"]
    assert use_cells(UnitFacts(loaded=True)) == ["", "", "", "", "", ""]


def test_longest_row_of_a_component_fits_80_columns():
    name = max((row.name for row in TABLE if row.cpu_quota), key=len)
    headings = ["component", "state", "CPU", "of", "throttled", "memory", "of", "restarts"]
    row = [name, "deactivating", *use_cells(BUSY)]

    # Columns with a space between.
    assert sum(max(len(heading), len(cell)) + 1 for heading, cell in zip(headings, row, strict=True)) - 1 <= 80


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(None, ""), (0, "0M"), (812 * 2**20, "812M"), (3 * 2**29, "1.5G"), (5 * 2**40, "5.0T")],
)
def test_size_is_as_systemd_writes_it(size_bytes, text):
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (600, "10 min"), (7200, "2 h"), (86_400, "24 h"), (250_000, "3 days")],
)
def test_span_is_in_its_largest_unit(seconds, text):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (StreamFacts(12, 101.0, 0.3, 0, 0.2), "101 rows/s, lag 12 records, 0.2 s, newest row 0.3 s old"),
        (StreamFacts(None, 0.0, None, 0), "0 rows/s, lag unknown, no row yet"),
    ],
)
def test_stream_is_said_in_a_line(stream, text):
    assert stream_text(stream) == text


def test_line_of_a_stream_far_behind_fits_80_columns():
    assert LABEL + len(stream_text(StreamFacts(12_345_678, 234_567.0, 12_345.6, 0, 12_345.6))) <= 80


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "no dead letter is open"),
        (1, "1 dead letter is open: lambda-app dead-letters list"),
        (1234, "1,234 dead letters are open: lambda-app dead-letters list"),
    ],
)
def test_dead_letters_are_counted(count, text):
    assert letters_text(count) == text


DISK = DiskFacts("a", "/var/lib/postgresql", 252 * 2**30, 63 * 2**30)


@pytest.mark.parametrize(
    ("is_known", "seconds", "text"),
    [
        (False, None, "/var/lib/postgresql has 63.0G of 252.0G left (25%), when full: unknown"),
        (True, None, "/var/lib/postgresql has 63.0G of 252.0G left (25%), does not fill up"),
        (True, 864_000.0, "/var/lib/postgresql has 63.0G of 252.0G left (25%), full in 10 days"),
    ],
)
def test_disk_says_when_it_is_full_or_that_nobody_knows(is_known, seconds, text):
    disk = DiskFacts(DISK.host, DISK.mountpoint, DISK.size_bytes, DISK.free_bytes, is_known, seconds)

    assert disk_text(disk, with_host=False) == text
    assert disk_text(disk, with_host=True) == f"a:{text}"
    assert LABEL + len(text) <= 80


def test_timers_say_when_they_run_next():
    timers = [
        TimerFacts("lambda-cron-runner.timer", NOW + timedelta(hours=2)),
        TimerFacts("lambda-verify.timer", None),
    ]

    text = timers_text(timers, NOW)

    assert text == "lambda-cron-runner in 2 h, lambda-verify has no next run"
    assert LABEL + len(text) <= 80


@pytest.mark.parametrize(
    ("text", "time"),
    [("Sun 2026-11-29 22:00:00 UTC", NOW), ("n/a", None), ("", None), ("infinity", None)],
)
def test_time_of_systemd_is_read(text, time):
    assert parse_shown_time(text) == time


@pytest.mark.parametrize(
    ("row", "are_all_known", "cells"),
    [
        (PartitionRow((0, 1, 2, 5), "a-1", 0, 0.0), True, ["a-1", "0", "0.0 s", "0-2, 5"]),
        (PartitionRow((6,), None, 1234, None), True, ["nobody", "1,234", "", "6"]),
        (PartitionRow((6,), None, None, None), False, ["unknown", "", "", "6"]),
        # A hundred partitions of four readers.
        (
            PartitionRow(tuple(range(0, 100, 4)), "a-1", 0, 0.0),
            True,
            ["a-1", "0", "0.0 s", "0, 4, 8, 12, 16, 20, 24, 28, ... (25)"],
        ),
    ],
)
def test_partition_without_a_reader_is_nobodys_only_when_all_consumers_told(row, are_all_known, cells):
    assert partition_cells(row, are_all_known) == cells
