"""Every metric of the platform's own programs. docs/metrics.md is made from this file.

Labels hold a few known words or numbers: never an id, a file name or anything else that comes from outside.
"""

from lambda_app.core.metrics.kinds import Metric, MetricType

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, MetricType.COUNTER, meaning, labels)


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, MetricType.GAUGE, meaning, labels)


def _histogram(name: str, meaning: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, MetricType.HISTOGRAM, meaning, buckets=buckets)


# lambda-consumer: the sums of its workers, those that ended included.
CONSUMER_ROWS = _counter("lambda_consumer_rows_total", "Messages stored as rows of transactions.")
CONSUMER_DUPLICATES = _counter("lambda_consumer_duplicates_total", "Messages that were stored already.")
CONSUMER_DEAD_LETTERS = _counter(
    "lambda_consumer_dead_letters_total", "Messages written to dead_letters, by what is wrong with them.", "reason"
)
CONSUMER_BYTES = _counter("lambda_consumer_bytes_total", "Bytes of the values of messages whose fate is committed.")
CONSUMER_COMMITS = _counter("lambda_consumer_commits_total", "Chunks committed: rows, aggregates and offsets at once.")
CONSUMER_CHUNK_MESSAGES = _histogram(
    "lambda_consumer_chunk_messages", "Messages of a chunk.", (1, 10, 100, 1_000, 5_000, 10_000, 20_000)
)
CONSUMER_CHUNK_AGE = _histogram(
    "lambda_consumer_chunk_age_seconds", "From the first read of a chunk to its commit.", _SECONDS
)
CONSUMER_LATENCY = _histogram(
    "lambda_consumer_event_to_row_seconds",
    "From event_time to the commit of its row, of at most 20 messages a chunk, evenly chosen.",
    _SECONDS,
)
CONSUMER_LAG = _gauge("lambda_consumer_lag_records", "Messages of a partition that wait.", "partition", "worker")
CONSUMER_LAG_SECONDS = _gauge(
    "lambda_consumer_lag_seconds",
    "Age of the last stored message of a partition, by Kafka's timestamp, while later ones wait; else 0.",
    "partition",
    "worker",
)
CONSUMER_NEXT_OFFSET = _gauge(
    "lambda_consumer_next_offset",
    "Offset behind the last message of a partition whose fate is committed.",
    "partition",
    "worker",
)
CONSUMER_REBALANCES = _counter("lambda_consumer_rebalances_total", "Changes of the partitions of a worker.")
CONSUMER_RETRIES = _counter(
    "lambda_consumer_retries_total", "Times that a worker began again because a peer was away.", "peer"
)
CONSUMER_WAITING = _gauge("lambda_consumer_waiting_workers", "Workers that wait for a peer that is away.", "peer")
CONSUMER_WORKERS = _gauge("lambda_consumer_workers", "Workers that are connected and settled in the group.")
CONSUMER_WORKER_ENDS = _counter("lambda_consumer_worker_ends_total", "Worker processes that ended by themselves.")

# lambda-producer
PRODUCER_SENT = _counter("lambda_producer_sent_total", "Transactions generated and handed to the client.")
PRODUCER_ACKNOWLEDGED = _counter("lambda_producer_acknowledged_total", "Records that Kafka acknowledged.")
PRODUCER_LOST = _counter("lambda_producer_lost_total", "Records that Kafka refused even when sent alone.")
PRODUCER_OUTSTANDING = _gauge("lambda_producer_outstanding_records", "Records not acknowledged yet.")
PRODUCER_RETRIES = _counter("lambda_producer_retries_total", "Connections to Kafka given up, to begin with another.")

# lambda-metrics, on every host: what systemd and the control groups say of a component.
_LIMITED = "component"
UNIT_UP = _gauge("lambda_unit_up", "1 when the unit is as status wants it, else 0.", _LIMITED)
UNIT_FAILED = _gauge("lambda_unit_failed", "1 when systemd calls the unit failed.", _LIMITED)
UNIT_RESTARTS = _counter("lambda_unit_restarts_total", "Restarts by systemd since the last start by hand.", _LIMITED)
UNIT_CPU = _counter("lambda_unit_cpu_seconds_total", "CPU time since the unit started.", _LIMITED)
UNIT_CPU_LIMIT = _gauge("lambda_unit_cpu_limit_cores", "CPUQuota: 1 is one core.", _LIMITED)
UNIT_PERIODS = _counter("lambda_unit_cpu_periods_total", "Periods in which the unit wanted CPU time.", _LIMITED)
UNIT_THROTTLED = _counter(
    "lambda_unit_cpu_throttled_periods_total", "Those of them in which CPUQuota held it back.", _LIMITED
)
UNIT_MEMORY = _gauge("lambda_unit_memory_bytes", "Memory in use, file cache included.", _LIMITED)
UNIT_MEMORY_WITHOUT_CACHE = _gauge(
    "lambda_unit_memory_without_cache_bytes",
    "Memory in use without file cache: what the kernel cannot take back.",
    _LIMITED,
)
UNIT_MEMORY_LIMIT = _gauge("lambda_unit_memory_limit_bytes", "MemoryMax.", _LIMITED)
UNIT_OOM_KILLS = _counter("lambda_unit_oom_kills_total", "Processes that the kernel killed for memory.", _LIMITED)
UNIT_TASKS = _gauge("lambda_unit_tasks", "Processes and threads.", _LIMITED)
UNIT_TASKS_LIMIT = _gauge("lambda_unit_tasks_limit", "TasksMax.", _LIMITED)
SOURCE_UP = _gauge(
    "lambda_metrics_source_up", "1 when systemd, postgresql or the inbox answered at this scrape, else 0.", "source"
)
LOOKED_TIME = _gauge("lambda_metrics_timestamp_seconds", "When lambda-metrics last looked at this host, since 1970.")

# lambda-metrics, on the host of the batch: what PostgreSQL knows.
JOBS = _gauge("lambda_batch_jobs", "Jobs of batch_jobs, by their status.", "status")
GIVEN_UP_JOBS = _gauge(
    "lambda_batch_given_up_jobs", "Jobs given up and not taken up again, as status counts them: night or file.", "kind"
)
RUNNING_SECONDS = _gauge("lambda_batch_running_seconds", "How long the running job has taken so far; 0 when none runs.")
JOB_COMPLETED_TIME = _gauge(
    "lambda_batch_last_completed_timestamp_seconds", "When the newest night's job was completed, since 1970."
)
JOB_BUSINESS_TIME = _gauge(
    "lambda_batch_last_completed_day_timestamp_seconds",
    "When the business day of that job ended, since 1970.",
)
JOB_ROWS = _gauge("lambda_batch_last_rows", "Rows that the newest night's job loaded.")
JOB_SECONDS = _gauge("lambda_batch_last_duration_seconds", "How long the newest completed night's job took.")
# Label nights_ago: 1 to 7, where 1 is the newest closed day of the platform's time zone.
NIGHT_STATUS = _gauge(
    "lambda_batch_night_status",
    "1 for the status of a night's job; `missing` where the night has none.",
    "nights_ago",
    "status",
)
NIGHT_ROWS = _gauge("lambda_batch_night_rows", "Rows that the job of that night loaded.", "nights_ago")
NIGHT_SECONDS = _gauge("lambda_batch_night_duration_seconds", "How long the job of that night took.", "nights_ago")
SPEED_ROWS = _gauge("lambda_speed_layer_rows", "Rows of speed_stats, as PostgreSQL estimates them.")
DIRTY_DAYS = _gauge("lambda_dirty_days", "Closed days that the next night counts again.")
UNCOUNTED_MINUTES = _gauge("lambda_uncounted_minutes", "Minutes that readers count from the rows for now.")
DEAD_LETTERS_OPEN = _gauge("lambda_dead_letters_open", "Dead letters neither retried with success nor discarded.")
GAPS = _counter("lambda_gaps_total", "Gaps of the log: messages that were gone before they were read.")
STORED_NEWEST_AGE = _gauge("lambda_newest_row_age_seconds", "Age of the newest row of transactions by its event_time.")
SCHEMA_CREATED_TIME = _gauge(
    "lambda_schema_created_timestamp_seconds", "When the first migration was applied, since 1970."
)
FROZEN_AGE = _gauge(
    "lambda_postgres_unfrozen_transactions",
    "Transaction ids since the oldest one that vacuum has not frozen; PostgreSQL refuses writes near 2^31.",
)
INBOX_WAITING = _gauge("lambda_inbox_waiting_files", "Files of the inbox that have waited for more than 10 minutes.")
INBOX_NOT_TAKEN = _gauge("lambda_inbox_not_taken_files", "Files of the inbox that are not taken.")

# Left by programs that run and end, for the node exporter.
RUN_TIME = _gauge("lambda_run_timestamp_seconds", "When the last run of this unit ended, since 1970.", _LIMITED)
RUN_SECONDS = _gauge("lambda_run_duration_seconds", "How long it took.", _LIMITED)
RUN_EXIT_STATUS = _gauge("lambda_run_exit_status", "Its exit status, 0 is success; a kill leaves none.", _LIMITED)
VERIFY_DIFFERENCES = _gauge("lambda_verify_differences", "Differences that the last audit found.")
VERIFY_TIME = _gauge("lambda_verify_timestamp_seconds", "When the last audit ended, since 1970.")
VERIFY_SECONDS = _gauge("lambda_verify_duration_seconds", "How long the last audit took.")
RECOMPUTE_DAYS = _gauge("lambda_recompute_days", "Closed days that the last run of the batch counted again.")
RECOMPUTE_SECONDS = _gauge("lambda_recompute_duration_seconds", "How long that took.")
RECOMPUTE_TIME = _gauge("lambda_recompute_timestamp_seconds", "When that ended, since 1970.")

# Left by Ansible, for the node exporter.
CERTIFICATE_END_TIME = _gauge(
    "lambda_certificate_end_timestamp_seconds",
    "When a certificate of this host ends, since 1970: its own, and that of the authority.",
    "certificate",
)

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
