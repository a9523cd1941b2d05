"""docs/logs.md has each event that is declared, and each log call names one with its level and its fields."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambda_app.core.events import Event
from tests.docs.event_table import PAGE, written

PROJECT = Path(__file__).parents[2]
ALERT_SCRIPT = PROJECT / "roles/common/files/lambda-alert"
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def log_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            holder = ast.unparse(node.func.value)
            if holder in {"logger", "logging"} or holder.startswith("logging.getLogger("):
                yield node


def named_event(call: ast.Call, function: ast.AST) -> ast.Call | None:
    """`Event.NAME.fields(...)` of `extra=`; also when a variable of the function holds it."""
    extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
    if isinstance(extra, ast.Name):
        given = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == extra.id
        ]
        extra = given[0] if len(given) == 1 else None
    is_event = isinstance(extra, ast.Call) and ast.unparse(extra.func).startswith("Event.")
    return extra if is_event and isinstance(extra, ast.Call) else None


def complaints(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for call in log_calls(tree):
        function = next((each for each in functions if call in ast.walk(each)), tree)
        found = named_event(call, function)
        text = ast.unparse(call)
        if found is None:
            yield f"names no event: {text}"
            continue
        declared = Event[ast.unparse(found.func).split(".")[1]].value
        level = "alert" if text.startswith("logger.log(logs.ALERT,") else ast.unparse(call.func).split(".")[1]
        if level.replace("exception", "error") != declared.level:
            yield f"is declared as {declared.level}: {text}"
        names = {keyword.arg for keyword in found.keywords}
        if names != {None} and names != set(declared.fields):
            yield f"is declared with the fields {', '.join(declared.fields)}: {text}"


def test_page_has_the_declared_events() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(), "run python -m tests.docs.event_table"


def test_each_log_call_names_its_event() -> None:
    paths = sorted(PROJECT.glob("lambda_app/**/*.py"))
    found = [f"{path.name} {each}" for path in paths for each in complaints(path.read_text(encoding="utf-8"))]

    assert found == []


def test_each_event_is_logged_somewhere() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PROJECT.glob("lambda_app/**/*.py"))
    script = ALERT_SCRIPT.read_text(encoding="utf-8")

    assert [
        event.name
        for event in Event
        if f"Event.{event.name}.fields(" not in text and f"LAMBDA_EVENT={event}\n" not in script
    ] == []


def test_fields_of_lambda_alert_are_the_declared_ones() -> None:
    script = ALERT_SCRIPT.read_text(encoding="utf-8")

    assert f"LAMBDA_EVENT={Event.UNIT_FAILED}\n" in script
    assert all(f"\n{field.upper()}=" in script for field in Event.UNIT_FAILED.value.fields)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ('logger.info("No job is due")', "names no event"),
        ('logger.info("x", extra={"job_id": 5})', "names no event"),
        ('logger.error("x", extra=Event.NOTHING_DUE.fields())', "is declared as info"),
        ('logger.info("x", extra=Event.JOB_PENDING.fields(job=5))', "is declared with the fields job_id"),
        ('logger.info("x", extra=Event.JOB_PENDING.fields())', "is declared with the fields job_id"),
        ('fields = {"a": 1}\n    logger.info("x", extra=fields)', "names no event"),
    ],
)
def test_a_call_that_is_not_as_declared_is_found(call: str, complaint: str) -> None:
    found = list(complaints(f"def work():\n    {call}\n"))

    assert len(found) == 1
    assert found[0].startswith(complaint)


def test_a_call_that_is_as_declared_is_no_complaint() -> None:
    call = 'fields = Event.JOB_PENDING.fields(job_id=5)\n    logger.info("x", extra=fields)'

    assert list(complaints(f"def work():\n    {call}\n")) == []
