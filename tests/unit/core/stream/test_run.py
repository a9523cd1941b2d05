"""Records of a partition, read in one piece."""

from lambda_app.core.stream.run import Run


def test_run_starts_at_an_offset_within_before_or_behind_it() -> None:
    run = Run(2, [5, 6, 9], [b"a", b"b", None], [b"x", None, b"z"], 1, 7)

    assert run.next_offset == 10
    assert run.starting_at(4) is run
    assert run.starting_at(6) == Run(2, [6, 9], [b"b", None], [None, b"z"], 1, 7)
    # A hole: the next one there is.
    assert run.starting_at(7) == Run(2, [9], [None], [b"z"], 1, 7)
    assert run.starting_at(10) is None
