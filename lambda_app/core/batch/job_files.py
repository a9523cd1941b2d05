"""Where the file of a job lies, below the batch's directory: programs and audit ask here."""

from collections.abc import Sequence

from lambda_app.core.batch.schedule import JobStatus

GENERATED = "generated"
INBOX = "inbox"
CLAIMED = "claimed"
DONE = "done"
FAILED = "failed"

_DIRECTORIES = {JobStatus.COMPLETED: DONE, JobStatus.FAILED: FAILED}


def job_place(status: str, job_id: str, file: str) -> str:
    """Where the file belongs while its job has this status.

    >>> job_place("completed", "BAT00007", "a.csv")
    'done/BAT00007-a.csv'
    """
    return f"{_DIRECTORIES.get(JobStatus(status), CLAIMED)}/{job_id}-{file}"


def places_before_claim(file: str, predecessors: Sequence[str] = ()) -> tuple[str, ...]:
    """Where a job's file may lie before it is claimed: the planner may be, or have been killed, between the two steps.

    `predecessors` are the jobs whose file has grown into this one.
    """
    return (f"{INBOX}/{file}", *(f"{place}/{job_id}-{file}" for job_id in predecessors for place in (DONE, FAILED)))


def job_of(name: str) -> str:
    """The job whose file has this name, outside the inbox.

    >>> job_of("BAT00007-my-file.csv")
    'BAT00007'
    """
    return name.partition("-")[0]
