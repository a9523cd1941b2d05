"""Many messages at once give what each one gives alone."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_app.core import bulk
from lambda_app.core.bulk import encode_messages
from lambda_app.core.copy_text import encode_row
from lambda_app.core.generator import TransactionGenerator, draw_pools, render_message
from lambda_app.core.identifiers import TransactionIds
from lambda_app.core.message import MAX_LENGTHS, parse_message
from lambda_app.core.stats import aggregate_lines
from lambda_app.errors import InvalidMessage

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
FIELDS: dict[str, object] = {
    "transaction_id": "TXN-1",
    "account_id": "ACC-1",
    "transaction_type": "purchase",
    "amount": 12.5,
    "event_time": "2026-06-15T11:59:59.123456Z",
}


def spell(fields: dict[str, object]) -> bytes:
    return json.dumps(fields).encode()


def columns(line: str) -> list[object]:
    """A line's columns, the spellings of numbers and times made one."""
    parts: list[object] = list(line.rstrip("\n").split("\t"))
    parts[0] = datetime.fromisoformat(str(parts[0]))
    parts[4] = Decimal(str(parts[4]))
    if parts[8] != "\\N":
        parts[8] = Decimal(str(parts[8]))
    return parts


def assert_same_as_one_by_one(values: Sequence[bytes | None]) -> None:
    encoded = encode_messages(values, "STREAM", NOW, first_place=100)

    rejected = dict(encoded.rejected)
    lines = dict(zip(encoded.places, encoded.rows.lines, strict=True))
    alone = []
    assert sorted([*rejected, *lines]) == list(range(100, 100 + len(values)))
    for place, value in enumerate(values, 100):
        try:
            expected = encode_row(parse_message(value, NOW), "STREAM")
        except InvalidMessage as error:
            assert rejected[place] == str(error)
        else:
            assert columns(lines[place]) == columns(expected)
            alone.append(expected)
    assert encoded.rows.stats == aggregate_lines(alone)


numbers = st.one_of(
    st.decimals("-1e11", "1e11", places=2).map(str),
    st.decimals("-101", "101", places=4).map(str),
    st.sampled_from(
        ["0", "-0", "-0.00", "1e2", "12.50000", "99.994", "99.995", "98.999", "0.005", "1E-2", "null", '"1"']
    ),
    st.floats().map(json.dumps),
    st.integers().map(str),
)
times = st.one_of(
    st.datetimes(datetime(1999, 12, 31), datetime(2026, 6, 17)).map(datetime.isoformat),  # noqa: DTZ001
    st.datetimes(datetime(1999, 12, 31), datetime(2026, 6, 17), timezones=st.timezones()).map(datetime.isoformat),  # noqa: DTZ001
    st.datetimes(datetime(2026, 6, 14), datetime(2026, 6, 17)).map(lambda time: f"{time:%Y-%m-%d %H:%M:%S}Z"),  # noqa: DTZ001
    st.sampled_from(
        [
            "2026-02-30T00:00:00Z",
            "2026-06-15T24:00:00Z",
            "2026-06-15T23:59:60Z",
            "2026-06-15T10:00:00.1234567Z",
            "2026-06-15T10:00:00Z\n2026-06-15T10:00:00Z",
            "2026-06-16T11:59:59Z",
            "2026-06-16T12:00:00Z",
            "2026-06-16T12:00:00.000001Z",
            "",
            "2026-06-15T10:00:00+00:00",
        ]
    ),
)
texts = st.text(max_size=10) | st.sampled_from(["\\N", "None", "null", "a\tb", "a\nb", "a\\b", "a\0b", "x" * 300, ""])
members = st.one_of(
    st.tuples(st.sampled_from([*MAX_LENGTHS]), texts.map(json.dumps) | st.just("null") | numbers),
    st.tuples(st.sampled_from(["amount", "risk_score"]), numbers),
    st.tuples(
        st.sampled_from(["event_time", "timestamp"]), times.map(json.dumps) | st.sampled_from(["null", "17", "{}"])
    ),
    st.tuples(st.just("card_present"), st.sampled_from(["true", "false", "null", "1"])),
    st.tuples(
        st.sampled_from(["other", "merchant"]), texts.map(json.dumps) | st.sampled_from(["[1, {}]", '{"a": null}'])
    ),
)


@st.composite
def spelled(draw: st.DrawFn) -> bytes:
    """A message that is mostly valid, spelled as no encoder would."""
    fields = {name: json.dumps(value) for name, value in FIELDS.items()}
    fields |= dict(draw(st.lists(members, max_size=4)))
    space = draw(st.sampled_from(["", " ", "\n"]))
    return ("{" + ",".join(f'{space}"{name}":{space}{value}' for name, value in fields.items()) + "}").encode()


values = st.one_of(spelled(), st.binary(max_size=20), st.just(spell(FIELDS)), st.none())


@settings(max_examples=500)
@given(st.lists(values, max_size=80))
@example([b'{"a":[{}', b"{}]}"])
@example([spell(FIELDS) + b"," + spell(FIELDS)])
@example([b""])
@example([b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}"])
def test_many_messages_give_what_each_gives_alone(messages: list[bytes | None]) -> None:
    assert_same_as_one_by_one(messages)


@settings(max_examples=500)
@given(st.lists(members, max_size=4))
def test_message_among_valid_ones_gives_what_it_gives_alone(changes: list[tuple[str, str]]) -> None:
    fields = {name: json.dumps(value) for name, value in FIELDS.items()} | dict(changes)
    message = ("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}").encode()

    assert_same_as_one_by_one([*[spell(FIELDS)] * 50, message, *[spell(FIELDS)] * 50])


def valid_messages(count: int) -> list[bytes]:
    generator = TransactionGenerator(draw_pools(), TransactionIds(1), seed=1)
    return [
        render_message(each) for each in generator.generate(int((NOW - timedelta(hours=1)).timestamp() * 1000), count)
    ]


def test_valid_messages_are_not_judged_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "parse_message", pytest.fail)
    spellings = [
        spell(FIELDS | changes)
        for changes in (
            {"event_time": "2026-06-15T11:00:00"},
            {"event_time": "2026-06-15 11:00:00+02:00"},
            {"amount": 1e2, "risk_score": 0.123456789},
            {"location": "Zürich \\ \t", "merchant_category": None, "risk_score": None},
            {"timestamp": 1750000000},
        )
    ]

    for messages in (valid_messages(5000), *([each] * 100 for each in spellings), spellings * 20):
        assert len(encode_messages(messages, "STREAM", NOW).rows) == len(messages)


def test_times_of_one_minute_but_several_zones_are_each_in_its_own_minute() -> None:
    spellings = ["2026-06-15T10:00:01+05:00", "2026-06-15T10:00:02-01:00", "2026-06-15T10:00:03+00:00"]

    for zones in (spellings, spellings[::-1], spellings[::2], spellings[1:]):
        assert_same_as_one_by_one([spell(FIELDS | {"event_time": each}) for each in zones * 40])


def test_few_bad_messages_do_not_slow_down_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[object] = []
    monkeypatch.setattr(bulk, "parse_message", lambda value, now: judged.append(value) or parse_message(value, now))
    messages: list[bytes | None] = [*valid_messages(5000)]
    messages[1234] = b"rubbish"
    messages[4000] = None

    encoded = encode_messages(messages, "STREAM", NOW)

    assert [place for place, _ in encoded.rejected] == [1234, 4000]
    assert len(encoded.rows) == 4998
    assert len(judged) < 100
