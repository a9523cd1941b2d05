"""`lambda-app dead-letters list | show | retry | discard`: what was not valid, and what becomes of it."""

import base64
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from typing import TypeVar

import click

from lambda_app.core.events import Event
from lambda_app.core.operate.letter_text import readable
from lambda_app.host import terminal
from lambda_app.host.clock import SystemClock
from lambda_app.host.terminal import Column, Styled
from lambda_app.operate.dead_letters import (
    Filters,
    FrequentReason,
    ListedLetter,
    count_by_reason,
    list_letters,
    mark_discarded,
    select_open,
    show_letter,
)
from lambda_app.operate.retry import Retry

logger = logging.getLogger(__name__)

SHOWN_REASONS = 5
LETTER_COLUMNS = (
    Column("id", right=True),
    Column("received", fold=True, wide=True),
    Column("from", fold=True),
    Column("resolution"),
    Column("reason", fold=True),
)
REASON_COLUMNS = (
    Column("count", right=True),
    Column("first", fold=True, wide=True),
    Column("last", fold=True),
    Column("reason", fold=True),
)
Listed = TypeVar("Listed", ListedLetter, FrequentReason)
_ID = click.IntRange(1, 2**63 - 1)


class _Time(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no date or time such as 2026-01-31 or 2026-01-31T23:59:59Z", param, ctx)


_FILTERS = (
    click.argument("ids", nargs=-1, type=_ID, metavar="[ID]..."),
    click.option("--reason", metavar="TEXT", help="Those whose reason contains this, in capitals or not."),
    click.option("--source", metavar="PATTERN", help="Those of this topic or file; * and ? as in a shell."),
    click.option("--since", type=_Time(), help="Those received at this time or later; without a zone: the platform's."),
    click.option("--until", type=_Time(), help="Those received before this time."),
)
_all_open = click.option("--all-open", is_flag=True, help="Every open one, instead of ids or filters.")


def _filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options by which letters are chosen, as `Filters`."""

    @wraps(command)
    def with_filters(
        ids: tuple[int, ...],
        reason: str | None,
        source: str | None,
        since: datetime | None,
        until: datetime | None,
        **options: object,
    ) -> None:
        command(Filters(ids, reason, source, since, until), **options)

    for option in reversed(_FILTERS):
        with_filters = option(with_filters)
    return with_filters


@click.group("dead-letters")
def dead_letters() -> None:
    """Show, retry or discard messages and lines that were not valid."""


@dead_letters.command("list")
@_filtered
@click.option("--limit", default=30, type=click.IntRange(min=1), help="How many at most.")
@click.option("--all", "resolved", is_flag=True, help="Resolved ones too.")
@click.option("--by-reason", is_flag=True, help="Count them by reason, instead of one a line.")
@terminal.json_option
def list_command(filters: Filters, limit: int, resolved: bool, by_reason: bool, as_json: bool) -> None:
    """Show the newest dead letters that are open, or those with these IDs."""
    if by_reason:
        count, reasons = count_by_reason(filters, limit, resolved)
        _say_list("reasons", reasons, count, as_json, REASON_COLUMNS, _reason_cells)
        part = ""
    else:
        count, letters = list_letters(filters, limit, resolved)
        _say_list("dead_letters", letters, count, as_json, LETTER_COLUMNS, _letter_cells)
        part = "" if len(letters) == count else f"{len(letters):,} of "
    if not as_json:
        terminal.say(f"{part}{count:,} {'' if resolved else 'open '}dead letters")


@dead_letters.command()
@click.argument("letter_id", metavar="ID", type=_ID)
@terminal.json_option
def show(letter_id: int, as_json: bool) -> None:
    """Show everything about a dead letter. Its content is shown as text if it is UTF-8, else as a hex dump."""
    letter = show_letter(letter_id)
    if as_json:
        document = asdict(letter)
        del document["raw"]
        terminal.say_json(document | _json_bytes(letter.raw))
        return
    if letter.topic is not None:
        topic = f"topic {letter.topic} (id {letter.topic_id or 'unknown'})"
        origin = f"{topic}, partition {letter.partition}, offset {letter.offset}"
    else:
        origin = f"file {letter.file}, line {letter.line}, job {letter.job_id or 'unknown'}"
    facts = {
        "id": letter.id,
        "from": origin,
        "reason": letter.reason,
        "received": _moment(letter.received_at),
        "resolved": f"{_moment(letter.resolved_at)}, {letter.resolution}" if letter.resolved_at else "no",
        "size": "no value" if letter.raw is None else f"{len(letter.raw):,} bytes",
    }
    for name, value in facts.items():
        terminal.say(f"{name:10}{value}")
    if letter.raw is not None:
        for line in ("", *readable(letter.raw).split("\n")):
            terminal.say(line)


@dead_letters.command()
@_filtered
@_all_open
def retry(filters: Filters, all_open: bool) -> None:
    """Store those that are valid by today's rules; the others stay as they are.

    Exit status 0: all are resolved; 1: some are still open.
    """
    _require_a_choice(filters, all_open)
    clock = SystemClock()
    started = clock.monotonic()
    selection = select_open(filters)
    run = Retry(selection, clock)
    with terminal.progress() as progress:
        task = progress.add_task("dead letters", total=selection.count)
        for tried in run.run():
            progress.update(task, advance=tried)
    _log_outcome(run, clock.monotonic() - started)
    if run.remaining:
        raise click.exceptions.Exit(1)


@dead_letters.command()
@_filtered
@_all_open
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(filters: Filters, all_open: bool, yes: bool) -> None:
    """Mark dead letters as discarded: they stay in the table, and no retry takes them."""
    _require_a_choice(filters, all_open)
    selection = select_open(filters)
    if selection.count and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{selection.count:,} would be discarded, and nobody can be asked: give --yes.")
        click.confirm(f"Discard {selection.count:,} dead letters?", abort=True)
    count = mark_discarded(selection)
    logger.info("Discarded %d dead letters", count, extra=Event.LETTERS_DISCARDED.fields(discarded=count))


def _say_list(
    name: str,
    found: Sequence[Listed],
    count: int,
    as_json: bool,
    columns: Sequence[Column],
    cells: Callable[[Listed], list[str | Styled]],
) -> None:
    if as_json:
        terminal.say_json({"count": count, name: [asdict(each) for each in found]})
    else:
        terminal.say_table(columns, map(cells, found))


def _require_a_choice(filters: Filters, all_open: bool) -> None:
    if filters and all_open:
        raise click.UsageError("Give --all-open, or ids and filters, not both.")
    if not filters and not all_open:
        raise click.UsageError(
            "Which ones? Give ids, --reason, --source, --since or --until, or --all-open for every one."
        )


def _log_outcome(run: Retry, seconds: float) -> None:
    remaining = run.remaining.total()
    reasons = [f"{reason} ({count})" for reason, count in run.remaining.most_common(SHOWN_REASONS)]
    if len(run.remaining) > SHOWN_REASONS:
        reasons.append("...")
    logger.info(
        "Retried %d dead letters in %.1f s: stored %d, duplicate %d, still open %d%s",
        run.stored + run.duplicate + remaining,
        seconds,
        run.stored,
        run.duplicate,
        remaining,
        ": " + ", ".join(reasons) if reasons else "",
        extra=Event.LETTERS_RETRIED.fields(stored=run.stored, duplicate=run.duplicate, remaining=remaining),
    )


def _letter_cells(letter: ListedLetter) -> list[str | Styled]:
    if letter.topic is None:
        origin = f"{letter.file} line {letter.line}"
    else:
        origin = f"{letter.topic}/{letter.partition} offset {letter.offset}"
    return [str(letter.id), _moment(letter.received_at), origin, letter.resolution or "open", letter.reason]


def _reason_cells(reason: FrequentReason) -> list[str | Styled]:
    first, last = _moment(reason.first_received_at), _moment(reason.last_received_at)
    return [f"{reason.count:,}", first, last, reason.reason]


def _json_bytes(raw: bytes | None) -> dict[str, str | None]:
    """What a letter holds: as text where it is UTF-8, else as base64."""
    try:
        return {"raw_text": None if raw is None else raw.decode(), "raw_base64": None}
    except UnicodeDecodeError:
        return {"raw_text": None, "raw_base64": base64.b64encode(raw or b"").decode()}


def _moment(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="seconds")
