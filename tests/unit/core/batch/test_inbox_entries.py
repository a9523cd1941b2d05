"""What lies in the inbox and is not taken: who is named, counted, and left alone."""

import pytest

from lambda_app.core.batch.inbox_entries import InboxEntry, inbox_note, inbox_reasons

OLD, NEW = 3600.0, 5.0


def entry(name: str, age: float = OLD, *, is_file: bool = True, here: float | None = None) -> InboxEntry:
    return InboxEntry(name, is_file, age, age if here is None else here)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (
            [entry("b.xlsx"), entry("a.txt")],
            "2 files in the inbox are not taken: a.txt, b.xlsx (rename them to *.csv or *.csv.gz, or remove them)",
        ),
        (
            [entry("a.txt")],
            "1 file in the inbox is not taken: a.txt (rename it to *.csv or *.csv.gz, or remove it)",
        ),
        (
            [entry(f"{number}.txt") for number in range(1, 8)],
            (
                "7 files in the inbox are not taken: 1.txt, 2.txt, 3.txt and 4 more"
                " (rename them to *.csv or *.csv.gz, or remove them)"
            ),
        ),
        (
            [entry("a.txt"), entry("old", is_file=False)],
            "2 entries in the inbox are not taken: a.txt, old (rename them to *.csv or *.csv.gz, or remove them)",
        ),
        # An upload that stopped half way.
        (
            [entry("a.csv.part")],
            "1 file in the inbox is not taken: a.csv.part (rename it to *.csv or *.csv.gz, or remove it)",
        ),
        (
            [entry("A.CSV"), entry("b.csv.gz", here=NEW)],
            (
                "1 file in the inbox has waited for more than 10 minutes: A.CSV"
                " (journalctl -u lambda-cron-runner says why)"
            ),
        ),
        (
            [entry("a.csv"), entry("b.csv.gz")],
            (
                "2 files in the inbox have waited for more than 10 minutes: a.csv, b.csv.gz"
                " (journalctl -u lambda-cron-runner says why)"
            ),
        ),
    ],
)
def test_what_stays_in_the_inbox_is_named_with_what_to_do(entries, reason):
    assert list(inbox_reasons(entries)) == [reason]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        # Hidden: an upload under way, what a Mac leaves beside a file.
        [entry(".a.csv.part"), entry("._a.csv")],
        # Renamed when complete.
        [entry("a.csv.part", age=59.0)],
        # Taken within seconds, even with an old time of writing (cp -p).
        [entry("a.csv", here=NEW)],
        # The planner says of it what it is.
        [entry("x.csv", is_file=False)],
    ],
)
def test_what_is_normal_is_not_mentioned(entries):
    assert list(inbox_reasons(entries)) == []


def test_what_may_still_be_renamed_is_said_and_no_reason_yet() -> None:
    entries = [entry("b.csv.part", age=NEW), entry("a.txt", age=NEW), entry("c.csv", age=NEW), entry(".d", age=NEW)]

    assert inbox_note(entries) == "2 files in the inbox are not taken: a.txt, b.csv.part"
    assert list(inbox_reasons(entries)) == []
    # What is a reason is not said twice.
    assert inbox_note([entry("a.txt"), entry("b.csv", age=NEW)]) is None
