"""The metrics of what PostgreSQL knows."""

from dataclasses import replace

from lambda_app.core.operate.database_samples import (
    DatabaseFacts,
    JobCount,
    LastNight,
    Night,
    Totals,
    database_samples,
)

FACTS = DatabaseFacts(
    jobs=[JobCount("completed", 7), JobCount("failed", 1)],
    given_up_nights=1,
    given_up_files=2,
    last_night=LastNight(1000.0, 900.0, 50, 12.5),
    nights=[Night(1, "completed", 50, 12.5), Night(2, "missing", 0, 0.0)],
    totals=Totals(3.5, 100, 4, 5, 6, 7, 800.0),
    dirty_days=8,
    newest_age_seconds=0.25,
)


def seen(facts: DatabaseFacts) -> dict[tuple[str, ...], object]:
    return {(s.metric.name.removeprefix("lambda_"), *s.labels): s.value for s in database_samples(facts)}


def test_every_status_has_a_count() -> None:
    found = seen(FACTS)

    statuses = ("pending", "running", "completed", "failed")
    assert [found["batch_jobs", status] for status in statuses] == [0, 0, 7, 1]
    assert (found["batch_given_up_jobs", "night"], found["batch_given_up_jobs", "file"]) == (1, 2)


def test_last_night_and_totals_are_numbers() -> None:
    found = seen(FACTS)

    assert found["batch_last_completed_timestamp_seconds",] == 1000.0
    assert found["batch_last_completed_day_timestamp_seconds",] == 900.0
    assert (found["batch_last_rows",], found["batch_last_duration_seconds",]) == (50, 12.5)
    assert (found["batch_running_seconds",], found["speed_layer_rows",], found["uncounted_minutes",]) == (3.5, 100, 4)
    assert (found["dead_letters_open",], found["gaps_total",], found["postgres_unfrozen_transactions",]) == (5, 6, 7)
    assert (found["dirty_days",], found["newest_row_age_seconds",]) == (8, 0.25)
    assert found["schema_created_timestamp_seconds",] == 800.0


def test_each_night_has_one_status() -> None:
    found = seen(FACTS)

    of_night = [(key[1], key[2]) for key, value in found.items() if key[0] == "batch_night_status" and value]
    assert of_night == [("1", "completed"), ("2", "missing")]
    assert (found["batch_night_rows", "1"], found["batch_night_duration_seconds", "2"]) == (50, 0.0)


def test_what_has_not_happened_yet_is_left_out() -> None:
    found = seen(replace(FACTS, last_night=None, newest_age_seconds=None))

    assert not [key for key in found if key[0].startswith("batch_last") or key[0] == "newest_row_age_seconds"]
