"""Messages for tests."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime

_serial = itertools.count(1)


def message(**changes: object) -> bytes:
    """A valid message with a new transaction_id; `...` as a value leaves a field out."""
    fields: dict[str, object] = {
        "transaction_id": f"TXN-{next(_serial):09}",
        "account_id": "ACC-00001",
        "transaction_type": "purchase",
        "amount": 12.34,
        "event_time": datetime.now(UTC).isoformat(),
        "merchant_category": "grocery",
        "location": "Springfield, IL",
        "card_present": True,
        "risk_score": 0.35,
    }
    fields |= changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def messages(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield message()


BAD_MESSAGES: list[tuple[bytes | None, str]] = [
    (b"hello", "not JSON: invalid character at byte 0: 'hello'"),
    (b'{"transaction_id": "TX', "not JSON: it ends too early"),
    (b"[1, 2]", "JSON, but no object: it is array"),
    (message(amount=...), "amount is missing"),
    (message(account_id=5), "account_id must be text, not a number: 5"),
    (message(amount="12,34"), "amount has a decimal comma or separates thousands: send 1234.56: '12,34'"),
    (message(amount=12.345), "amount has 3 decimals, more than 2: 12.345"),
    (message(amount=float("nan")), "not JSON: invalid character at byte"),
    (message(location="\ud800"), "not JSON: a lone surrogate"),
    (message(location="a\0b"), "location holds a NUL character: 'a\\x00b'"),
    (message(transaction_id="x" * 1_000_000), "transaction_id has 1000000 characters, more than 128"),
    (None, "the message has no value"),
    (message(event_time="1970-01-01T00:00:00Z"), "event_time is before 2000-01-01: '1970-01-01T00:00:00Z'"),
    (message(event_time="2999-01-01T00:00:00Z"), "event_time is more than one day ahead: '2999-01-01T00:00:00Z'"),
]
