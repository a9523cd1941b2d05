"""What a conflict says of the two rows."""

from decimal import Decimal

from lambda_app.core.transaction.conflicts import CONTENT, conflict_reason

STORED = dict.fromkeys(CONTENT) | {"account_id": "A1", "transaction_type": "refund", "amount": Decimal("10.00")}
START = "conflicts with the stored transaction of this id and time: "


def reason(**changes: object) -> str:
    return conflict_reason([*(STORED | changes).values()], [*STORED.values()])


def test_each_field_that_differs_is_named_with_both_values() -> None:
    assert reason(amount=Decimal("12.00")) == START + "amount is 12.00, stored is 10.00"
    assert reason(account_id="A2", card_present=True, risk_score=Decimal("0.50")) == (
        START
        + "account_id is 'A2', stored is 'A1'; card_present is true, stored is null; risk_score is 0.50, stored is null"
    )


def test_control_characters_are_visible_and_texts_are_cut() -> None:
    assert reason(location="\x1b[2J\r\n") == START + r"location is '\x1b[2J\r\n', stored is null"
    assert reason(location="x" * 256).endswith(f"location is '{'x' * 59}..., stored is null")
    assert len(reason(**dict.fromkeys(CONTENT, "😀\x00" * 128))) < 1000
