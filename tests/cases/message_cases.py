"""The table messages.jsonl: a message a line, and what must become of it. A new case is a new line.

`value` is the message's text, null for a message without one; `base64` its bytes where they are no text. `expect` are
columns of its row, `transaction_id` (one of its own) among them; `reason` is that of its dead letter.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

_KEYS = [{"case", value, fate} for value in ("value", "base64") for fate in ("expect", "reason")]


@dataclass(frozen=True)
class Case:
    name: str
    value: bytes | None
    expect: Mapping[str, object] | None
    reason: str | None

    def __str__(self) -> str:
        return self.name


def message_cases() -> list[Case]:
    lines = Path(__file__).with_name("messages.jsonl").read_text(encoding="utf-8").splitlines()
    return [_case(json.loads(line)) for line in lines]


def _case(line: dict[str, object]) -> Case:
    assert line.keys() in _KEYS, f"a line has the keys {' or '.join(map(str, _KEYS))}, not {line}"
    text, expect, reason = line.get("value"), line.get("expect"), line.get("reason")
    value = base64.b64decode(str(line["base64"])) if "base64" in line else None if text is None else str(text).encode()
    assert expect is None or isinstance(expect, dict)
    return Case(str(line["case"]), value, _typed(expect) if expect else None, str(reason) if reason else None)


def _typed(expect: dict[str, object]) -> dict[str, object]:
    """Columns as PostgreSQL gives them."""
    typed = dict(expect)
    typed["event_time"] = datetime.fromisoformat(str(expect["event_time"]))
    for name in ("amount", "risk_score"):
        if expect.get(name) is not None:
            typed[name] = Decimal(str(expect[name]))
    return typed
