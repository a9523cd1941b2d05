"""Where the file of a job lies: the same answer for the programs that move it and for the audit."""

import pytest

from lambda_app.core.batch.job_files import job_of, job_place, places_before_claim


@pytest.mark.parametrize(
    ("status", "place"),
    [
        ("pending", "claimed/BAT00001-a.csv"),
        ("running", "claimed/BAT00001-a.csv"),
        ("completed", "done/BAT00001-a.csv"),
        ("failed", "failed/BAT00001-a.csv"),
    ],
)
def test_file_lies_where_its_job_stands(status: str, place: str) -> None:
    assert job_place(status, "BAT00001", "a.csv") == place
    assert job_of(place.partition("/")[2]) == "BAT00001"


def test_file_that_is_not_claimed_yet_has_no_job_in_its_name_or_that_of_a_job_before() -> None:
    assert places_before_claim("a.csv") == ("inbox/a.csv",)
    assert places_before_claim("a.csv", ["BAT00001"]) == (
        "inbox/a.csv",
        "done/BAT00001-a.csv",
        "failed/BAT00001-a.csv",
    )
