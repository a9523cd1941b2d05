"""CSV text of a few transactions."""

HEADER = "transaction_id,account_id,transaction_type,amount,timestamp"


def rows(*numbers: int) -> str:
    lines = [f"T{number},A1,purchase,12.30,2026-06-15T12:{number % 60:02}:00Z\n" for number in numbers]
    return HEADER + "\n" + "".join(lines)
