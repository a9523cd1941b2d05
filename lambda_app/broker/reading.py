"""The consumer's way out of Kafka's record batches, several times as quick as kafka-python's own.

kafka-python makes an object of fifteen fields for every record. Here a batch becomes one `Run`; fetching, checksums,
decompression, transactions and positions stay the client's. It relies on the inside of kafka-python 3.0.12, which is
pinned; `--kafka-api records` reads without it.

The format: https://kafka.apache.org/documentation/#recordbatch
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.net import manager
from kafka.net.transport import KafkaTCPTransport
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import decode_varint

from lambda_app import settings
from lambda_app.core.stream.run import Run

# In variable-length numbers, a byte below this is the last of its number.
_CONTINUED = 128
# Bytes read from a socket at once. With fewer, such as kafka-python's 4 KiB, each dozen messages cost a system call and
# a change of threads; with more, each answer of Kafka takes more memory for a moment.
_RECEIVE_BYTES = settings.FETCH_PARTITION_BYTES


def receive_large_pieces() -> None:
    """Lets the clients of this process that connect from now on without TLS read much from a socket at once."""
    manager.KafkaTCPTransport = Transport


class Transport(KafkaTCPTransport):  # type: ignore[misc]
    """A connection of kafka-python that takes large pieces from its socket."""

    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        try:
            data = self._sock.recv(_RECEIVE_BYTES)
        except OSError:
            data = b""
        # The end of the connection, errors and empty sockets are left to the base class, which tries again and meets
        # the same.
        return (data, None) if data else super()._sock_recv()


def read_batches(consumer: KafkaConsumer) -> None:
    """Lets the polls of this consumer give Runs, one a batch, instead of records."""
    fetcher = consumer._fetcher
    fetcher.PartitionRecords = _PartitionRuns
    fetcher._append = partial(_append_run, fetcher._append)


def _append_run(
    append: Callable[..., int], drained: Any, runs: "_PartitionRuns | None", _: int, update_offsets: bool
) -> int:
    """As Fetcher._append, by the run. What it counts of a poll's `max_records` goes by its size.

    A poll then gives as much as fits into a chunk: a batch may hold a thousand times what it takes up in Kafka.
    """
    if not append(drained, runs, 1, update_offsets) or runs is None:
        return 0
    return max(1, runs.run_bytes * settings.CHUNK_RECORDS // settings.CHUNK_BYTES)


class _PartitionRuns(Fetcher.PartitionRecords):  # type: ignore[misc]
    """What a fetch brought of one partition. As the base class, by the batch."""

    # Size of the last run, decompressed.
    run_bytes = 0

    def _maybe_skip_record(self, _: Run) -> bool:
        return False

    def _unpack_records(self, tp: TopicPartition, records: Any, *_: object) -> Iterator[Run]:
        while (batch := records.next_batch()) is not None:
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"The checksum of the batch at {tp.partition}/{batch.base_offset} is wrong")
            if batch.magic < 2:
                records = list(batch)
                run = run_of_records(tp.partition, records, None) if records else None
            else:
                # Hidden batches set the epoch too: a position behind one, with the epoch before it, would look like a
                # log that was cut off.
                self.leader_epoch = batch.leader_epoch
                run = None if self._is_hidden(batch) else _run_of_batch(tp.partition, batch)
            run = run and run.starting_at(self.fetch_offset)
            if run:
                self.next_fetch_offset = run.next_offset
                self.records_read += len(run)
                self.bytes_read += batch.size_in_bytes
                self.run_bytes = len(batch._buffer) if batch.magic == 2 else batch.size_in_bytes
                yield run
            if batch.magic == 2:
                # The next batch begins here, even when compaction has removed this one's last records.
                self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
        self.drain()

    def _is_hidden(self, batch: Any) -> bool:
        """Whether it holds nothing for readers: a marker of a transaction, or part of one that was aborted."""
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def _run_of_batch(partition: int, batch: DefaultRecordBatch) -> Run | None:
    count = batch.records_count
    if batch.last_offset_delta != count - 1:
        # Compaction removed some records, so the offsets must be taken from each record.
        records = list(batch)
        return run_of_records(partition, records, batch.leader_epoch) if records else None
    # Decompresses the batch.
    iter(batch)
    try:
        keys, values, time_delta = read_records(bytes(batch._buffer), batch._pos, count)
    except (IndexError, ValueError) as error:
        raise CorruptRecordError(f"The batch at {partition}/{batch.base_offset} has no such structure") from error
    is_log_time = batch.timestamp_type == DefaultRecordBatch.LOG_APPEND_TIME
    timestamp = batch.max_timestamp if is_log_time else batch.first_timestamp + time_delta
    return Run(
        partition, range(batch.base_offset, batch.base_offset + count), keys, values, timestamp, batch.leader_epoch
    )


def run_of_records(partition: int, records: Sequence[Any], leader_epoch: int | None) -> Run:
    """From kafka-python's own records, at least one."""
    return Run(
        partition,
        [record.offset for record in records],
        [record.key for record in records],
        [record.value for record in records],
        records[-1].timestamp,
        leader_epoch,
    )


def read_records(data: bytes, position: int, count: int) -> tuple[list[bytes | None], list[bytes | None], int]:
    """The keys and values of `count` records from `position` to the end, and the time delta of the last.

    A record: length, attributes (a byte), time delta, offset delta, key length, key, value length, value, headers.
    Raises ValueError or IndexError when the data are not of this form.
    """
    keys: list[bytes | None] = []
    values: list[bytes | None] = []
    end = start = position
    for _ in range(count):
        # Numbers of one and two bytes are decoded inline: a call for each would double the time.
        first = data[end]
        if first < _CONTINUED:
            start = end + 1
            end = start + (first >> 1)
        elif (second := data[end + 1]) < _CONTINUED:
            start = end + 2
            end = start + ((first & 127 | second << 7) >> 1)
        else:
            length, start = decode_varint(data, end)
            end = start + length
        position = start + 1
        while data[position] >= _CONTINUED:
            position += 1
        position += 1
        while data[position] >= _CONTINUED:
            position += 1
        length, position = data[position + 1], position + 2
        if length == 1:
            keys.append(None)
        else:
            if length < _CONTINUED and not length & 1:
                length >>= 1
            else:
                length, position = decode_varint(data, position - 1)
            keys.append(data[position : position + length])
            position += length
        first = data[position]
        if first >= _CONTINUED and (second := data[position + 1]) < _CONTINUED and not first & 1:
            length = (first & 127 | second << 7) >> 1
            position += 2
        else:
            length, position = decode_varint(data, position)
        if length < 0:
            values.append(None)
        else:
            values.append(data[position : position + length])
            position += length
        # The rest of the record is headers, which nobody reads.
        if position >= end:
            raise ValueError("a record is longer than it says")
    if end != len(data):
        raise ValueError("the records end elsewhere than the batch")
    return keys, values, decode_varint(data, start + 1)[0] if count else 0
