"""Of lines of one kind one a second goes out, and none is forgotten."""

from lambda_app.core.bursts import Bursts


def test_line_that_comes_alone_goes_out_at_once() -> None:
    bursts: Bursts[str] = Bursts()

    assert bursts.admit("a", "first", 10)
    assert bursts.next_due() is None
    assert list(bursts.due(12)) == []


def test_lines_within_a_second_become_one_of_the_newest_and_their_number() -> None:
    bursts: Bursts[str] = Bursts()

    admitted = [bursts.admit("a", f"line {number}", 10 + number / 1000) for number in range(500)]

    assert admitted == [True] + [False] * 499
    assert bursts.next_due() == 11
    assert list(bursts.due(10.9)) == []
    assert list(bursts.due(11)) == [("line 499", 499)]
    assert list(bursts.due(11)) == []


def test_long_burst_has_a_line_a_second_and_each_line_is_counted() -> None:
    bursts: Bursts[int] = Bursts()
    sent = 0
    counted = 0

    for number in range(10_000):
        now = number / 1000
        for _, count in bursts.due(now):
            sent, counted = sent + 1, counted + count
        if bursts.admit("a", number, now):
            sent, counted = sent + 1, counted + 1
    for _, count in bursts.drain():
        sent, counted = sent + 1, counted + count

    assert sent <= 11
    assert counted == 10_000


def test_kinds_do_not_hold_each_other_back() -> None:
    bursts: Bursts[str] = Bursts()

    assert bursts.admit("a", "x", 10)
    assert bursts.admit("b", "y", 10)
    assert not bursts.admit("a", "z", 10.5)
    assert list(bursts.due(11)) == [("z", 1)]


def test_line_after_a_quiet_second_goes_out_at_once() -> None:
    bursts: Bursts[str] = Bursts()
    bursts.admit("a", "x", 10)

    assert bursts.admit("a", "y", 11)
    # That began a pause of its own.
    assert not bursts.admit("a", "z", 11.5)


def test_after_draining_nothing_is_held_back_and_no_pause_is_left() -> None:
    bursts: Bursts[str] = Bursts()
    bursts.admit("a", "x", 10)
    bursts.admit("a", "y", 10)

    assert list(bursts.drain()) == [("y", 1)]
    assert list(bursts.drain()) == []
    assert bursts.admit("a", "z", 10)
