"""What a user may set, with its default, and the limits and times that tune the programs, each with its unit.

A number that one module alone can explain stands in that module.
"""

from dataclasses import dataclass

KAFKA_BOOTSTRAP_SERVERS = "localhost:9092"
KAFKA_TOPIC = "transactions"
# Only assigns partitions: positions are in the table stream_offsets.
KAFKA_GROUP = "lambda-consumer"
# A worker that says nothing for so long loses its partitions to the others.
KAFKA_SESSION_SECONDS = 10.0
# How soon the others hear that one has come or gone.
KAFKA_HEARTBEAT_SECONDS = 0.5
KAFKA_SASL_MECHANISM = "SCRAM-SHA-512"

CONSUME_WORKERS = 2
# A chunk of a backlog; a quiet stream does not wait for so many.
CHUNK_RECORDS = 20_000
# A chunk ends by its bytes too: memory stays bounded whatever the message sizes.
CHUNK_BYTES = 16 * 1024 * 1024
# After a repetition so many chunks go by the temporary table: a COPY that fails leaves dead rows.
CAUTIOUS_CHUNKS = 20
FETCH_PARTITION_BYTES = 256 * 1024
FETCH_BYTES = 8 * 1024 * 1024
# While records flow, Kafka answers when it has so much for us, or after this time: a larger time means fewer and larger
# chunks, and later rows. In silence it answers at the first record, or after the longer time.
FETCH_FLOW_BYTES = 4096
FETCH_FLOW_SECONDS = 0.23
FETCH_SILENCE_SECONDS = 1.0
# Kafka's copy of the offsets is for people (kafka-consumer-groups); nobody reads it back.
KAFKA_COMMIT_SECONDS = 5.0

# Records a second; 0 is as fast as possible.
PRODUCE_RATE = 100.0
# A quiet stream waits this long for more records to send along, one at full speed longer.
PRODUCE_LINGER_SECONDS = 0.005
PRODUCE_LINGER_FULL_SPEED_SECONDS = 0.02
PRODUCE_BATCH_BYTES = 256 * 1024
# Leaves the fewest bytes for little CPU time, which broker and consumer save again: figures in docs/performance.md.
PRODUCE_COMPRESSION = "zstd"
# Sent and not acknowledged yet: what bounds the memory while Kafka is away.
PRODUCE_OUTSTANDING_RECORDS = 50_000
# Kafka acknowledges nothing for so long: nothing more is handed to the client, which only gets slower by it ...
PRODUCE_HOLD_SECONDS = 1.0
# ... and for so long: a new connection may do better, and waiting for it costs no CPU time.
PRODUCE_STALL_SECONDS = 10.0
# Together with an attempt to connect less than the unit's TimeoutStopSec.
PRODUCE_DRAIN_SECONDS = 15.0
# Rows of a generated file.
BATCH_FILE_ROWS = 10_000
BATCH_CHUNK_ROWS = 100_000
# A file of the inbox that has not changed for so long is complete; one that still changes after three times as long is
# left for the next run.
INBOX_QUIET_SECONDS = 5.0
# Dead letters that a transaction of a retry takes, as long as they stay below CHUNK_BYTES.
RETRY_LETTERS = 10_000

# A recompute waits so long for the writers of a day, holding up new ones, and then lets them go ahead for a while.
RECOMPUTE_LOCK_SECONDS = 0.2
RECOMPUTE_PAUSE_SECONDS = 1.0

# So long after a backlog a worker works out what was put off: others may still have theirs.
CATCH_UP_AFTER_SECONDS = 2.0

# A closed day's transaction ids are looked for in so many days before it: what is sent again is sent again within
# Kafka's retention, 7 days by default.
REPEATED_IDS_DAYS = 7
REPEATED_IDS_EXAMPLES = 5
# An index is built when the transactions that began before have ended; not within so long: the next night builds it.
INDEX_LOCK_SECONDS = 600
# A partition is dropped under a lock that all who use transactions wait for: it is tried for so long, then again after
# a pause. Longer than a reader may hold a transaction open; then the next night drops it.
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
# A worker that leaves a transaction open for so long without a word is stopped, or gone.
FROZEN_SECONDS = 5
# `db migrate` waits this long for PostgreSQL, then fails.
MIGRATE_WAIT_SECONDS = 300.0
# A worker that says nothing for so long hangs: the watchdog is then no longer fed.
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
