"""One cause hides its consequences."""

from lambda_app.core.operate.doctor.finding import Cause, Finding, causes

DISK = Finding("disk", "the disk is full", "df")
SERVER = Finding("server", "the server is down", "start server", frozenset({"disk"}))
PROGRAM = Finding("program", "the program is down", "start program", frozenset({"server", "network"}))


def test_a_finding_that_nothing_explains_is_a_cause():
    assert causes([SERVER]) == [Cause(SERVER)]
    assert causes([DISK, PROGRAM]) == [Cause(DISK), Cause(PROGRAM)]


def test_consequences_hang_below_the_first_cause_in_whatever_order():
    assert causes([DISK, SERVER, PROGRAM]) == [Cause(DISK, (SERVER, PROGRAM))]
    assert causes([PROGRAM, SERVER, DISK]) == [Cause(DISK, (PROGRAM, SERVER))]


def test_two_findings_about_one_thing_are_both_causes():
    first, second = Finding("jobs", "a failed", "retry a"), Finding("jobs", "b failed", "retry b")

    assert causes([first, second]) == [Cause(first), Cause(second)]


def test_consequences_of_two_causes_of_one_thing_are_named_once():
    first, second = Finding("jobs", "a failed", "retry a"), Finding("jobs", "b failed", "retry b")
    unit = Finding("unit", "the unit failed", "start", frozenset({"jobs"}))

    assert causes([first, second, unit]) == [Cause(first, (unit,)), Cause(second)]


def test_what_follows_from_each_other_in_a_circle_is_said():
    hen = Finding("hen", "no hen", "hatch", frozenset({"egg"}))
    egg = Finding("egg", "no egg", "lay", frozenset({"hen"}))

    assert {cause.finding.about for cause in causes([hen, egg])} == {"hen", "egg"}


def test_a_thing_that_follows_from_itself_is_a_cause():
    path = Finding("path", "gone", "make", frozenset({"path"}))

    assert causes([path]) == [Cause(path)]
