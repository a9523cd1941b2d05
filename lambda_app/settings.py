"""What a user may set, with its default, and the limits and times that tune the programs, each with its unit.

A number that one module alone can explain stands in that module.
"""

from dataclasses import dataclass

KAFKA_BOOTSTRAP_SERVERS = "localhost:9092"
KAFKA_TOPIC = "transactions"
# Only assigns partitions: positions are in the table stream_offsets.
KAFKA_GROUP = "lambda-consumer"
# Without a heartbeat for this long a worker loses its partitions to the others.
KAFKA_SESSION_SECONDS = 10.0
# Heartbeats carry the news that a worker has come or gone: a smaller value hands partitions over sooner.
KAFKA_HEARTBEAT_SECONDS = 0.5
KAFKA_SASL_MECHANISM = "SCRAM-SHA-512"

CONSUME_WORKERS = 2
# The most messages in a chunk. A backlog fills it; a quiet stream stores smaller chunks at once.
CHUNK_RECORDS = 20_000
# A chunk ends by its bytes too: memory stays bounded whatever the message sizes.
CHUNK_BYTES = 16 * 1024 * 1024
# After a duplicate the next chunks go through the temporary table: where one row is stored already there are more, and
# a COPY that fails leaves dead rows.
CAUTIOUS_CHUNKS = 20
FETCH_PARTITION_BYTES = 256 * 1024
FETCH_BYTES = 8 * 1024 * 1024
# While records flow, Kafka answers a fetch at this many bytes or after this time: a larger time means fewer and larger
# chunks, and later rows. In silence it answers at the first record, or after the longer time.
FETCH_FLOW_BYTES = 4096
FETCH_FLOW_SECONDS = 0.23
FETCH_SILENCE_SECONDS = 1.0
# Kafka's copy of the offsets is for people (kafka-consumer-groups); nobody reads it back.
KAFKA_COMMIT_SECONDS = 5.0

# Records a second; 0 is as fast as possible.
PRODUCE_RATE = 100.0
# How long a record waits for others to share its batch: at a steady rate, and at full speed.
PRODUCE_LINGER_SECONDS = 0.005
PRODUCE_LINGER_FULL_SPEED_SECONDS = 0.02
PRODUCE_BATCH_BYTES = 256 * 1024
# Leaves the fewest bytes for little CPU time, which broker and consumer save again: figures in docs/performance.md.
PRODUCE_COMPRESSION = "zstd"
# The most records that are sent and not acknowledged: bounds the memory while Kafka is away.
PRODUCE_OUTSTANDING_RECORDS = 50_000
# After 1 s without an acknowledgement, hand no more records to the client: they only slow it down.
PRODUCE_HOLD_SECONDS = 1.0
# After 10 s without one, connect again; waiting for that takes no CPU time.
PRODUCE_STALL_SECONDS = 10.0
# How long a stopping producer waits for acknowledgements. Together with an attempt to connect it is less than the
# unit's TimeoutStopSec.
PRODUCE_DRAIN_SECONDS = 15.0
# Rows of a generated file.
BATCH_FILE_ROWS = 10_000
BATCH_CHUNK_ROWS = 100_000
# A file of the inbox is complete when it has not changed for this long; one that still changes after three times as
# long is left for the next run.
INBOX_QUIET_SECONDS = 5.0
# The most dead letters in one transaction of a retry; CHUNK_BYTES bounds their size.
RETRY_LETTERS = 10_000

# A recompute waits 0.2 s at a time for the writers of its day, and holds up new ones meanwhile; then it lets them go
# ahead for 1 s.
RECOMPUTE_LOCK_SECONDS = 0.2
RECOMPUTE_PAUSE_SECONDS = 1.0

# How long after its backlog a worker begins to recompute what was put off: other workers may still have theirs.
CATCH_UP_AFTER_SECONDS = 2.0

# How many days before a closed day are searched for its transaction ids. Senders repeat within Kafka's retention, 7
# days by default.
REPEATED_IDS_DAYS = 7
REPEATED_IDS_EXAMPLES = 5
# Building an index waits for transactions that began before it. After 10 minutes it is left to the next night.
INDEX_LOCK_SECONDS = 600
# Dropping a day takes a lock that everybody who uses transactions waits for. So the maintenance waits 0.2 s for it,
# lets the others go ahead for 1 s, and tries again for 15 minutes, longer than a reader may hold a transaction open;
# after that the day is left to the next night.
DROP_LOCK_SECONDS = 0.2
DROP_PAUSE_SECONDS = 1.0
DROP_WAIT_SECONDS = 900.0
# The lock of a batch run or a maintenance that was killed ends when PostgreSQL notices, within this time; one that is
# really at work takes longer.
LOCK_WAIT_SECONDS = 30.0
LOCK_POLL_SECONDS = 0.5

BACKOFF_FIRST_SECONDS = 0.1
BACKOFF_CAP_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 10
# A worker that has left a transaction open for this long without a statement counts as frozen or gone.
FROZEN_SECONDS = 5
# `db migrate` waits this long for PostgreSQL, then fails.
MIGRATE_WAIT_SECONDS = 300.0
# A worker that does not report for this long hangs: the supervisor then stops feeding the watchdog.
HEARTBEAT_TIMEOUT_SECONDS = 30.0
STATUS_SECONDS = 1.0
DRAIN_TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True)
class Settings:
    """What every subcommand may need; `cli.py` fills it from options and environment."""

    kafka_bootstrap_servers: str = KAFKA_BOOTSTRAP_SERVERS
    kafka_topic: str = KAFKA_TOPIC
    # PLAINTEXT, SASL_PLAINTEXT, or None: SASL_PLAINTEXT exactly when the user's credential is there.
    kafka_security_protocol: str | None = None
    kafka_group: str = KAFKA_GROUP
    # A file of certificates, for TLS; None: those the system trusts.
    kafka_ca_file: str | None = None
    # How messages are read: "batches" (quick, below kafka-python's public API) or "records" (by it alone).
    kafka_api: str = "batches"
