"""docs/environments.md, its two examples of CI, and `./platform up --inventory`."""

import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
GITHUB = yaml.safe_load(PROJECT.joinpath("docs/ci/github.yml").read_text())
GITLAB = yaml.safe_load(PROJECT.joinpath("docs/ci/gitlab.yml").read_text())


def github_commands(job: str) -> list[str]:
    return [step["run"] for step in GITHUB["jobs"][job]["steps"] if "run" in step]


def gitlab_commands(job: str) -> list[str]:
    settings = GITLAB.get(GITLAB[job].get("extends"), {}) | GITLAB[job]
    return [line.replace('"$CI_ENVIRONMENT_NAME"', settings.get("environment", "")) for line in settings["script"]]


@pytest.mark.parametrize("commands", [github_commands, gitlab_commands])
def test_example_tests_and_deploys_by_the_two_commands(commands) -> None:
    assert commands("test") == ["./platform test"]
    assert commands("staging") == ["./platform up --inventory staging"]
    assert commands("production") == ["./platform up --inventory production"]


def test_github_example_deploys_the_branch_to_staging_and_tags_to_production() -> None:
    jobs = GITHUB["jobs"]

    assert {jobs[name]["needs"] for name in ("staging", "production")} == {"test"}
    assert jobs["staging"]["if"] == f"github.ref == 'refs/heads/{GITHUB['on']['push']['branches'][0]}'"
    assert jobs["production"]["if"] == f"startsWith(github.ref, 'refs/tags/{GITHUB['on']['push']['tags'][0][0]}')"


def test_gitlab_example_deploys_the_branch_to_staging_and_tags_to_production() -> None:
    assert GITLAB["stages"] == ["test", "deploy"]
    assert GITLAB["staging"]["rules"] == [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}]
    assert GITLAB["production"]["rules"] == [{"if": "$CI_COMMIT_TAG"}]


@pytest.mark.parametrize("name", ["nowhere", ""])
def test_up_refuses_an_inventory_that_is_not_there(name: str) -> None:
    result = subprocess.run(
        [PROJECT / "platform", "up", "--inventory", name], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"There is no directory inventory/{name}:")
