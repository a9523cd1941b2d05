"""Every event that the programs log. docs/logs.md is made from this file.

A log call names its event and gives the fields declared here; text alone is for people, and may change:
`logger.info("%s is dropped", day, extra=Event.DAY_DROPPED.fields(business_date=day))`.
"""

from dataclasses import dataclass
from enum import Enum, unique

# The attribute of a log record that has the event; in capitals it is the journal's field.
EVENT_FIELD = "lambda_event"


@dataclass(frozen=True)
class Declaration:
    """What is known of an event before it happens."""

    # The method of the logger: debug, info, warning, error; or alert.
    level: str
    meaning: str
    fields: tuple[str, ...]
    # It can come once a message, a file or an attempt: of its lines at most one a second goes out.
    in_bursts: bool = False


def _info(meaning: str, *fields: str, in_bursts: bool = False) -> Declaration:
    return Declaration("info", meaning, fields, in_bursts)


def _warning(meaning: str, *fields: str, in_bursts: bool = False) -> Declaration:
    return Declaration("warning", meaning, fields, in_bursts)


def _error(meaning: str, *fields: str, in_bursts: bool = False) -> Declaration:
    return Declaration("error", meaning, fields, in_bursts)


def _alert(meaning: str, *fields: str, in_bursts: bool = False) -> Declaration:
    return Declaration("alert", meaning, fields, in_bursts)


@unique
class Event(Enum):
    """What happened."""

    # Any program.
    PROGRAM_FAILED = _error("The program ends: its message is the reason.", "exit_status")
    PROGRAM_CRASHED = _error("The program ends by an error that nobody foresaw: its message has a traceback.")
    PEER_AWAY = _warning("Kafka or PostgreSQL is away, and waited for.", "peer", in_bursts=True)
    TEXTFILE_FAILED = _warning("Metrics could not be left for the node exporter; the work is done.", "file")

    # lambda-consumer.
    CONSUMER_READY = _info("Each worker is connected and settled in the group.", "workers")
    PARTITIONS_TAKEN = _info("A worker got partitions; its message has all that it reads.", "topic")
    DEAD_LETTERS_ADDED = _warning("Messages became dead letters: at most a line a second.", "dead_letters")
    GAP_FOUND = _warning("Messages were gone before they were read.", "topic", "partition", "offset")
    READING_AGAIN = _warning("A worker drops what it read, and begins again at the stored offsets.", in_bursts=True)
    CHUNK_DROPPED = _info("A chunk was not stored, and is read again.", in_bursts=True)
    OFFSETS_NOT_SHOWN = _info("Kafka did not take its copy of the offsets, which is for people.")
    GROUP_NOT_LEFT = _info("A worker left without a goodbye: the group notices by its timeout.")
    CATCH_UP_FAILED = _warning("Aggregates that were put off are still to be recomputed; readers count them.")
    WORKER_ENDED = _error("A worker process ended by itself, and is started again.", "worker", "status")
    WORKER_FAILED = _error("Why a worker process ends.")
    WORKER_CRASHED = _error("A worker ends by an error that nobody foresaw: its message has a traceback.")
    WORKER_GONE = Declaration("debug", "A worker had ended before it was told to.", ("worker",))

    # lambda-producer.
    PRODUCER_CONNECTED = _info("Kafka answers.")
    PRODUCER_STOPPED = _info("The producer ends: what became of its records.", "sent", "acknowledged", "lost")
    RECORD_LOST = _error("Kafka refused a record even when it was sent alone.", in_bursts=True)

    # lambda-cron-runner.
    FILE_REGISTERED = _info("A file of the inbox is a job now, or an ended file has changed.", "job_id", "file")
    FILE_KNOWN = _info("A file of the inbox has the content of an earlier job.", "job_id", "file")
    FILE_REFUSED = _alert("An entry of the inbox cannot be loaded.", "job_id", "file")
    FILE_UNFINISHED = _info("A file of the inbox still changes: left to the next run.", "file", in_bursts=True)
    FILE_DELAYED = _error("A fault of the disk: the file is tried again.", "file", in_bursts=True)
    FILE_NOT_COMPARED = _warning("An ended file could not be compared with its job.", "file", in_bursts=True)
    FILE_NOT_RENAMED = _warning("An entry of the inbox could not be moved out of the way.", "file", in_bursts=True)
    JOB_PENDING = _info("A job is to be run.", "job_id")
    NOTHING_DUE = _info("The planner found no new job.")

    # lambda-csv-batch.
    JOB_COMPLETED = _info("A job is loaded.", "job_id", "business_date", "rows_loaded")
    JOB_FAILED = _error("An attempt failed: status is pending, or failed when it was the last.", "job_id", "status")
    JOB_UNCLAIMED = _warning("The file of a job is not where the planner should have moved it.", "job_id")
    FILE_NOT_PUT_AWAY = _error("The file of an ended job stays in claimed/ until the next run.", "file", in_bursts=True)
    DAY_RECOMPUTED = _info("The aggregates of a day are counted again.", "business_date", "transactions")
    LOAD_AWAITED = _info("A recompute waits for a load of its day.", "business_date")

    # lambda-db-maintenance; lambda-csv-batch has the first one too.
    ALREADY_RUNNING = _warning("Another process does this work: nothing to do.")
    DAY_INDEXED = _info("A closed day has its index.", "business_date")
    DAYS_NOT_INDEXED = _warning("This day and later ones get their index the next night.", "business_date")
    DAY_CLOSED = _info("The repeated transaction ids of a day are counted.", "business_date", "repeated_ids")
    IDS_REPEATED = _warning("A day has transaction ids with more than one time.", "business_date", "repeated_ids")
    DAY_DROPPED = _info("The transactions of a day past retention are dropped.", "business_date")
    DAYS_NOT_DROPPED = _warning("This day and later ones past retention are dropped the next night.", "business_date")

    # lambda-verify.
    AUDIT_EXACT = _info("The audit found no difference.", "differences")
    AUDIT_DIFFERS = _error("The audit found differences: the message has the first.", "differences")

    # lambda-metrics and lambda-alerts.
    SOURCE_SILENT = _warning("systemd, PostgreSQL or the inbox gave no metrics for a scrape.", "source")
    ALERT_FIRING = _alert("Alertmanager says that something is wrong.", "alert", "alert_status")
    ALERT_RESOLVED = _info("Alertmanager says that it is over.", "alert", "alert_status")
    NOTIFICATION_REFUSED = _warning("A request was not a notification of Alertmanager.", in_bursts=True)

    # Written by lambda-alert, which systemd calls when a unit ends.
    UNIT_FAILED = _alert("A unit failed: at the first failure of an outage.", "object_systemd_unit", "result")

    # By hand.
    LETTERS_RETRIED = _info("What a retry of dead letters did.", "stored", "duplicate", "remaining")
    LETTERS_DISCARDED = _info("Dead letters were marked as discarded.", "discarded")

    def __str__(self) -> str:
        """Its name in the journal."""
        return self.name.lower()

    def fields(self, **values: object) -> dict[str, object]:
        """The `extra=` of a log call."""
        return {EVENT_FIELD: self, **values}
