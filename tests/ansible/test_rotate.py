"""What playbooks/operate/rotate.yml does on the controller: what it puts aside, and what a second run goes on with."""

import subprocess
from pathlib import Path

import pytest

PUT_ASIDE = Path(__file__).parents[2] / "playbooks/operate/files/put-aside"


def put_aside(directory: Path, *names: str) -> list[str]:
    command = [PUT_ASIDE, directory, " ".join(names)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for name in ("kafka-admin", "kafka-consumer", "postgres-owner"):
        tmp_path.joinpath(name).write_text(f"old {name}\n")
    return tmp_path


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in directory.iterdir() if path.is_file()}


def test_named_secrets_are_put_aside_and_the_others_stay(secrets: Path) -> None:
    assert put_aside(secrets, "kafka-admin", "postgres-owner") == ["kafka-admin", "postgres-owner"]

    assert contents(secrets) == {"kafka-consumer": "old kafka-consumer"}
    kept = contents(secrets / "previous")
    assert (kept["kafka-admin"], kept["postgres-owner"]) == ("old kafka-admin", "old postgres-owner")
    assert secrets.joinpath("previous").stat().st_mode & 0o777 == 0o700


def test_second_run_goes_on_with_the_first_and_puts_nothing_else_aside(secrets: Path) -> None:
    put_aside(secrets, "kafka-admin")
    secrets.joinpath("kafka-admin").write_text("new\n")

    assert put_aside(secrets, "kafka-admin", "kafka-consumer") == ["kafka-admin"]

    assert contents(secrets)["kafka-admin"] == "new"
    assert contents(secrets / "previous")["kafka-admin"] == "old kafka-admin"


def test_run_that_was_killed_between_two_secrets_is_gone_on_with(secrets: Path) -> None:
    secrets.joinpath("previous").mkdir()
    secrets.joinpath("previous/names").write_text("kafka-admin\nkafka-consumer\n")
    secrets.joinpath("kafka-admin").rename(secrets / "previous/kafka-admin")

    assert put_aside(secrets, "postgres-owner") == ["kafka-admin", "kafka-consumer"]

    assert contents(secrets) == {"postgres-owner": "old postgres-owner"}


def test_secret_that_the_inventory_gives_itself_is_not_there_to_be_put_aside(secrets: Path) -> None:
    assert put_aside(secrets, "pgadmin-login") == []

    assert not secrets.joinpath("previous").exists()
