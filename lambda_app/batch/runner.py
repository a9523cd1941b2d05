"""The runner of the batch: does the pending jobs, oldest first, one run at a time, then recomputes.

A job's rows, its dead letters and its completion are one transaction: killed at any moment it is loaded or it is not.
PostgreSQL being away is waited for and counts as no attempt; a start that was killed counts as one.
"""

import logging
from contextlib import closing
from datetime import datetime
from pathlib import Path

from lambda_app import settings
from lambda_app.batch import inbox
from lambda_app.batch.connection import QUERIES, connect_patiently, open_connection
from lambda_app.batch.files import LoadedFile, load_file
from lambda_app.batch.generated import write_generated_file
from lambda_app.core.batch.job_files import GENERATED, places_before_claim
from lambda_app.core.batch.schedule import MAX_ATTEMPTS, DueJob, JobStatus, status_after_failure
from lambda_app.core.events import Event
from lambda_app.core.metrics import declared
from lambda_app.database.connection import BATCH, Connection, DatabaseError, transaction
from lambda_app.database.locks import Lock, hold
from lambda_app.database.patience import is_outage, patiently
from lambda_app.database.zone import time_zone
from lambda_app.errors import InvalidFile, LambdaError, RetryableError
from lambda_app.host import textfiles
from lambda_app.host.clock import Clock
from lambda_app.layers.recompute import RecomputedDay, dirty_days, recompute_days, recompute_uncounted
from lambda_app.layers.store import BATCH_SHARD, Store

logger = logging.getLogger(__name__)

# How long to wait for a file that is registered and not claimed yet: the planner claims it right after.
CLAIM_WAIT_SECONDS = 5.0
CLAIM_POLL_SECONDS = 0.5


class BatchRun:
    """One call of `batch run`: does every job that is pending, each at most once."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._done: list[int] = []
        # The job whose attempt an outage of PostgreSQL interrupted: it continues the same attempt.
        self._interrupted: int | None = None
        self._first_starts: list[datetime] = []
        self._to_retry: list[str] = []
        self._recomputed: list[RecomputedDay] = []

    def run(self) -> None:
        """Raises RetryableError when a job is to be tried again later, LambdaError when one was given up."""
        failed = patiently(self._run, self._clock, "The batch goes on when PostgreSQL is back")
        if self._to_retry:
            raise RetryableError(f"to be tried again: {', '.join(self._to_retry)}")
        if failed:
            raise LambdaError(f"given up: {', '.join(failed)}; lambda-app batch list shows why")

    def _run(self) -> list[str]:
        """Gives the jobs that were given up."""
        with closing(connect_patiently(self._clock)) as connection:
            if not hold(connection, Lock.BATCH, settings.LOCK_WAIT_SECONDS, self._clock):
                logger.warning(
                    "Another batch run is at work: nothing to do for this one", extra=Event.ALREADY_RUNNING.fields()
                )
                return []
            inbox.tidy(connection, self._directory)
            self._run_jobs(connection)
            self._recompute(connection)
            # Jobs that were registered while the others ran.
            while self._run_jobs(connection):
                self._recompute(connection)
            return self._failed_jobs(connection)

    def _recompute(self, connection: Connection) -> None:
        self._recomputed += recompute_days(dirty_days(connection), self._clock)
        recompute_uncounted(self._clock, BATCH)
        samples = (
            declared.RECOMPUTE_DAYS.sample(len(self._recomputed)),
            declared.RECOMPUTE_SECONDS.sample(sum(each.seconds for each in self._recomputed)),
            declared.RECOMPUTE_TIME.sample(self._clock.now().timestamp()),
        )
        textfiles.leave("recompute", samples)

    def _run_jobs(self, connection: Connection) -> bool:
        """Runs every pending job; whether there was one."""
        count = len(self._done)
        while True:
            with transaction(connection):
                job = QUERIES.row(connection, "next_job", DueJob, done=self._done)
            if job is None:
                return len(self._done) > count
            if not self._is_claimed(job):
                logger.warning(
                    "%s waits: its file %s is yet to be claimed by the planner",
                    job.job_id,
                    job.file,
                    extra=Event.JOB_UNCLAIMED.fields(job_id=job.job_id),
                )
            elif job.status == JobStatus.RUNNING and job.id != self._interrupted and job.attempts >= MAX_ATTEMPTS:
                self._end_attempt(connection, job, JobStatus.FAILED, f"killed in attempt {job.attempts}")
            else:
                self._attempt(connection, job)
            self._done.append(job.id)

    def _is_claimed(self, job: DueJob) -> bool:
        """Whether the file is where it belongs; also when it is nowhere, which the attempt will say."""
        if job.file is None:
            return True
        claimed = inbox.place(self._directory, job.status, job.job_id, job.file)
        elsewhere = [self._directory / place for place in places_before_claim(job.file, job.predecessors)]
        deadline = self._clock.monotonic() + CLAIM_WAIT_SECONDS
        while not claimed.exists() and any(path.exists() for path in elsewhere):
            if self._clock.monotonic() >= deadline:
                return False
            self._clock.sleep(CLAIM_POLL_SECONDS)
        return True

    def _attempt(self, connection: Connection, job: DueJob) -> None:
        is_same = job.id == self._interrupted and job.status == JobStatus.RUNNING
        attempts = job.attempts if is_same else job.attempts + 1
        self._interrupted = job.id
        with transaction(connection):
            first_start = QUERIES.value(connection, "start_job", datetime, id=job.id, attempts=attempts)
        self._first_starts.append(first_start)
        started = self._clock.monotonic()
        try:
            loaded = self._load(connection, job)
        except (LambdaError, DatabaseError, OSError) as error:
            if is_outage(error, connection):
                raise
            self._give_back(connection, job, attempts, first_start, error)
        else:
            self._put_away(job, JobStatus.COMPLETED)
            _log_completion(job, loaded, self._clock.monotonic() - started)

    def _load(self, connection: Connection, job: DueJob) -> LoadedFile:
        path = self._file_of(connection, job)
        store = Store(connection, BATCH_SHARD)
        with closing(open_connection()) as table_maker, store.transaction():
            loaded = load_file(store, table_maker, path, job.file or path.name, job.job_id, self._clock.now())
            if job.content_hash and loaded.content_hash != job.content_hash:
                raise InvalidFile(
                    "it was changed after it had been registered: write under another name, and rename to *.csv when"
                    " complete"
                )
            QUERIES.run(
                connection,
                "complete_job",
                id=job.id,
                rows_read=loaded.read,
                rows_loaded=loaded.loaded,
                rows_duplicate=loaded.duplicate,
                rows_rejected=loaded.rejected,
                header=list(loaded.header.columns),
                delimiter=loaded.header.delimiter,
            )
        return loaded

    def _file_of(self, connection: Connection, job: DueJob) -> Path:
        if job.file:
            path = inbox.place(self._directory, job.status, job.job_id, job.file)
            if not path.exists():
                raise InvalidFile(f"its file is not in {path}: put it into the inbox again")
            return path
        with transaction(connection):
            zone = time_zone(connection)
        return write_generated_file(self._directory / GENERATED, job.business_date, zone)

    def _give_back(
        self, connection: Connection, job: DueJob, attempts: int, first_start: datetime, error: Exception
    ) -> None:
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, InvalidFile):
            # Trying again cannot help: the file stays as it is.
            self._end_attempt(connection, job, JobStatus.FAILED, text)
            return
        status = status_after_failure(attempts, first_start, self._clock.now())
        self._end_attempt(connection, job, status, f"attempt {attempts} of {MAX_ATTEMPTS}: {text}")

    def _end_attempt(self, connection: Connection, job: DueJob, status: JobStatus, error: str) -> None:
        with transaction(connection):
            QUERIES.run(connection, "end_attempt", id=job.id, status=status, error=error)
        if status is JobStatus.PENDING:
            self._to_retry.append(job.job_id)
        else:
            self._put_away(job, status)
            if job.started_at:
                self._first_starts.append(job.started_at)
        fields = Event.JOB_FAILED.fields(job_id=job.job_id, status=status)
        logger.error("%s for %s is %s: %s", job.job_id, job.subject, status, error, extra=fields)

    def _put_away(self, job: DueJob, status: JobStatus) -> None:
        if job.file:
            inbox.put_away(self._directory, status, job.job_id, job.file)

    def _failed_jobs(self, connection: Connection) -> list[str]:
        """The jobs given up by this run, or by the one that it is the retry of."""
        if not self._first_starts:
            return []
        with transaction(connection):
            return QUERIES.column(connection, "failed_since", str, since=min(self._first_starts))


def _log_completion(job: DueJob, loaded: LoadedFile, seconds: float) -> None:
    logger.info(
        "%s for %s completed in %.1f s: read %d, loaded %d, duplicate %d, rejected %d",
        job.job_id,
        job.subject,
        seconds,
        loaded.read,
        loaded.loaded,
        loaded.duplicate,
        loaded.rejected,
        extra=Event.JOB_COMPLETED.fields(job_id=job.job_id, business_date=job.business_date, rows_loaded=loaded.loaded),
    )
