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
