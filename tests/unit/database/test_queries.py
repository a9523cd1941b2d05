"""The named queries of the package."""

from lambda_app.database.queries import queries


def test_queries_are_found_by_name() -> None:
    found = queries("positions")

    assert {"select_positions", "insert_position", "move_position", "insert_gap", "advance_positions"} <= set(found)
    assert found["select_positions"].startswith("-- The positions of")
