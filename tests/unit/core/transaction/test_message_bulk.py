"""Many messages at once give what each one gives alone."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_app.core.transaction import message_bulk
from lambda_app.core.transaction.aggregates import Aggregates
from lambda_app.core.transaction.copy_text import encode_row
from lambda_app.core.transaction.generator import TransactionGenerator, draw_pools, render_message
from lambda_app.core.transaction.identifiers import TransactionIds
from lambda_app.core.transaction.message import MAX_LENGTHS, parse_message
from lambda_app.core.transaction.message_bulk import encode_messages
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
    assert encoded.rows.aggregates.work_out() == Aggregates.of_lines(alone).work_out()


# Amounts and risk scores: valid or not, as numbers and as text.
numbers = st.one_of(
    st.decimals("-1e11", "1e11", places=2).map(str),
    st.decimals("-1e11", "1e11", places=2).map(lambda number: f'"{number}"'),
    st.decimals("-1", "1", places=11).map(str),
    st.decimals("-101", "101", places=4).map(str),
    st.sampled_from(
        ["0", "-0", "-0.00", "1e2", "12.50000", "99.994", "99.995", "98.999", "0.005", "1E-2", "null", '"1"']
    ),
    st.sampled_from(["0.30000000000000004", "1.005", "9999999999.9999999999", "1e-10", "-1e-10", "1.0000000010000001"]),
    st.sampled_from(
        ['"+1.5"', '"007"', '"1.2300"', '"1e2"', '" 1"', '"1,5"', '"-"', '""', '"null"', '"1\\u0030"', '["1"]']
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
            "2026-06-15T10:00Z",
            "2026-06-15T10:00",
            "2026-06-15t10:00z",
            "2026-06-15 10:00:00,5z",
            "2026-06-15T10:00:00.1234567899z",
            "2026-06-15T10:00+02",
            "2026-06-15T10:00 Z",
            "2026-W25-1T10:00Z",
            "1781517600000",
        ]
    ),
)
milliseconds = st.one_of(
    st.integers(946_684_700_000, 1_781_700_000_000).map(str),
    st.integers(946_684_800, 1_781_517_600).map(lambda second: f"{second}000.0"),
    st.sampled_from(
        [
            "946684799999",
            "946684800000",
            "1781611200000",
            "1781611200001",
            "1781517600000.5",
            "1781517600000.00000000000001",
            "1.7815176e12",
            "1781517600",
            "1781517600000000",
            "1781517600000000000",
            "1e999999999",
            "-1",
            "true",
        ]
    ),
)
texts = st.text(max_size=10) | st.sampled_from(["\\N", "None", "null", "a\tb", "a\nb", "a\\b", "a\0b", "x" * 300, ""])
members = st.one_of(
    st.tuples(st.sampled_from([*MAX_LENGTHS]), texts.map(json.dumps) | st.just("null") | numbers),
    st.tuples(st.sampled_from(["amount", "risk_score"]), numbers),
    st.tuples(
        st.sampled_from(["event_time", "timestamp"]),
        times.map(json.dumps) | milliseconds | st.sampled_from(["null", "17", "{}"]),
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
    text = "{" + ",".join(f'{space}"{name}":{space}{value}' for name, value in fields.items()) + "}"
    return draw(st.sampled_from(["", "", "", "\ufeff", "\ufeff\ufeff"])).encode() + text.encode()


values = st.one_of(spelled(), st.binary(max_size=20), st.just(spell(FIELDS)), st.none())


@settings(max_examples=500)
@given(st.lists(values, max_size=80))
@example([b'{"a":[{}', b"{}]}"])
@example([spell(FIELDS) + b"," + spell(FIELDS)])
@example([b""])
@example(
    [spell(FIELDS | {"amount": "0.30000000000000004"}), spell(FIELDS | {"amount": "1.5", "event_time": 1781517600000})]
)
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
    monkeypatch.setattr(message_bulk, "parse_message", pytest.fail)
    spellings = [
        spell(FIELDS | changes)
        for changes in (
            {"event_time": "2026-06-15T11:00:00"},
            {"event_time": "2026-06-15 11:00:00+02:00"},
            {"amount": 1e2, "risk_score": 0.123456789},
            {"location": "Zürich \\ \t", "merchant_category": None, "risk_score": None},
            {"timestamp": 1750000000},
            {"event_time": 1781517600123},
            {"event_time": 1781517600000.0},
            {"event_time": "2026-06-15T11:00Z"},
            {"event_time": "2026-06-15t11:00:00,123456789z"},
            {"amount": "12.34"},
            {"amount": "-12.3400"},
            {"amount": 0.30000000000000004},
        )
    ]

    spellings.append(b"\xef\xbb\xbf" + spell(FIELDS))

    for messages in (valid_messages(5000), *([each] * 100 for each in spellings), spellings * 20):
        assert len(encode_messages(messages, "STREAM", NOW).rows) == len(messages)


@pytest.mark.parametrize(
    "changes",
    [
        {"event_time": 1781517600123},
        {"event_time": "2026-06-15T11:00Z"},
        {"event_time": "2026-06-15t11:00:00z"},
        {"event_time": "2026-06-15 11:00:00,123456789Z"},
        {"amount": "12.34"},
        {"amount": "-12.3400"},
        {"amount": 12.34},
    ],
)
def test_values_that_senders_write_are_checked_all_at_once(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    for name in ("parse_time", "parse_milliseconds", "parse_amount"):
        monkeypatch.setattr(
            f"lambda_app.core.transaction.columns.{name}", lambda *values: pytest.fail(f"{values[:2]} is judged alone")
        )
    messages = [spell(FIELDS | changes), spell(FIELDS)] * 50

    assert len(encode_messages(messages, "STREAM", NOW).rows) == 100


def test_times_of_one_minute_but_several_zones_are_each_in_its_own_minute() -> None:
    spellings = ["2026-06-15T10:00:01+05:00", "2026-06-15T10:00:02-01:00", "2026-06-15T10:00:03+00:00"]

    for zones in (spellings, spellings[::-1], spellings[::2], spellings[1:]):
        assert_same_as_one_by_one([spell(FIELDS | {"event_time": each}) for each in zones * 40])


def test_few_bad_messages_do_not_slow_down_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[object] = []
    monkeypatch.setattr(
        message_bulk, "parse_message", lambda value, now: judged.append(value) or parse_message(value, now)
    )
    messages: list[bytes | None] = [*valid_messages(5000)]
    messages[1234] = b"rubbish"
    messages[4000] = None

    encoded = encode_messages(messages, "STREAM", NOW)

    assert [place for place, _ in encoded.rejected] == [1234, 4000]
    assert len(encoded.rows) == 4998
    assert len(judged) < 100
