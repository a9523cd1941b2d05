"""Checks of the work itself: partitions that nobody reads, jobs, files of the inbox, dead letters."""

from collections.abc import Iterator
from shlex import quote

from lambda_app.core.batch.inbox_entries import RENAME_SECONDS, TAKEN_SECONDS, left_waiting, not_taken
from lambda_app.core.batch.job_files import INBOX, job_place
from lambda_app.core.operate.doctor import things
from lambda_app.core.operate.doctor.facts import HostFacts
from lambda_app.core.operate.doctor.finding import Finding
from lambda_app.core.operate.health import JobFacts


def unread(facts: HostFacts) -> Iterator[Finding]:
    """Partitions whose records wait while nothing is stored of them."""
    topic = facts.topic
    if topic is None:
        return
    still = sorted(partition for partition in topic.waiting if partition not in topic.moved)
    if still:
        records = sum(topic.waiting[partition] for partition in still)
        numbers = ", ".join(map(str, still))
        cause = f"partition {numbers} of {topic.name} is not read: {records:,} records wait and none is stored"
        yield Finding(things.STREAM, cause, "systemctl restart lambda-consumer", _why_unread(facts))


def _why_unread(facts: HostFacts) -> frozenset[str]:
    of_unit = (things.unit, things.file, things.frozen, things.limits, things.memory, things.throttled)
    components = ("kafka", "lambda-postgres", "lambda-consumer", "lambda-db-setup")
    return frozenset(
        [
            *(thing(name) for thing in of_unit for name in components),
            *(thing(server) for thing in (things.server, things.read_only) for server in things.SERVERS),
            *(things.login(each.server, each.user) for each in facts.logins),
            *(things.disk(each.path) for each in facts.disks),
            *(things.host_name(each) for each in facts.unresolved),
            *(things.unit(things.TARGET), things.TOPIC, things.SCHEMA, things.BLOCKED),
        ]
    )


def jobs(facts: HostFacts) -> Iterator[Finding]:
    """Jobs that were given up."""
    for job in facts.database.failed_jobs if facts.database else ():
        error = job.error or "no error noted"
        if job.file is None:
            cause = f"{job.job_id} for {job.business_date} was given up: {error}"
            command = f"lambda-app batch schedule --date {job.business_date} && systemctl start lambda-csv-batch"
            yield Finding(things.JOBS, cause, command)
        else:
            cause = (
                f"{job.job_id} for {job.file} was given up: {error}; mend the file, then put it into the inbox again"
            )
            yield Finding(things.JOBS, cause, _put_again(job, job.file, facts.batch_path), mends=False)


def _put_again(job: JobFacts, file: str, directory: str) -> str:
    failed = quote(f"{directory}/{job_place(job.status, job.job_id, file)}")
    return f"mv -n {failed} {quote(f'{directory}/{INBOX}/{file}')}"


def inbox(facts: HostFacts) -> Iterator[Finding]:
    """What lies in the inbox and is not taken."""
    directory = f"{facts.batch_path}/{INBOX}"
    # A name that is not input yet may be that of an upload.
    for entry in not_taken(facts.inbox):
        if entry.quiet_seconds < RENAME_SECONDS:
            continue
        path, about = quote(f"{directory}/{entry.name}"), things.path(f"{directory}/{entry.name}")
        cause = f"{entry.name} in the inbox is never taken: its name is not *.csv or *.csv.gz"
        if entry.is_file:
            yield Finding(about, f"{cause}; if it is CSV, rename it", f"mv -n {path} {path}.csv")
        else:
            yield Finding(
                about, f"{entry.name} in the inbox is never taken: it is no file", f"ls -la {path}", mends=False
            )
    if waiting := left_waiting(facts.inbox):
        names = ", ".join(sorted(entry.name for entry in waiting))
        cause = f"files of the inbox have waited for more than {TAKEN_SECONDS / 60:.0f} minutes: {names}"
        yield Finding(things.INBOX, cause, "systemctl start lambda-cron-runner", _why_waiting(facts))


def _why_waiting(facts: HostFacts) -> frozenset[str]:
    units = ("lambda-inbox.path", "lambda-cron-runner", "lambda-postgres", "lambda-db-setup")
    return frozenset(
        [
            *(things.unit(name) for name in units),
            *(things.disk(each.path) for each in facts.disks),
            *(things.path(each.needed.path) for each in facts.paths),
            things.server(things.POSTGRESQL),
        ]
    )


def dead_letters(facts: HostFacts) -> Iterator[Finding]:
    """Messages and lines that were not valid, and about which nobody has decided."""
    count = facts.database.open_letters if facts.database else 0
    if count:
        noun = "dead letter is" if count == 1 else "dead letters are"
        cause = f"{count:,} {noun} open: retry them when they would be valid now, or discard them"
        yield Finding(things.LETTERS, cause, "lambda-app dead-letters list --by-reason", mends=False)
