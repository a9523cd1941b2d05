"""Molecule passes over a step without a playbook and says so in one line: each step of a scenario must have one."""

from pathlib import Path

import pytest
import yaml

SCENARIOS = sorted(Path(__file__).parents[2].glob("molecule/*/molecule.yml"))
# Steps that run the playbook of another.
PLAYBOOK = {"check": "converge", "idempotence": "converge", "syntax": "converge"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.parent.name)
def test_scenario_has_a_playbook_for_each_step(scenario: Path) -> None:
    settings = yaml.safe_load(scenario.read_text())
    playbooks = settings["ansible"]["playbooks"]

    steps = {PLAYBOOK.get(step, step) for step in settings["scenario"]["test_sequence"]}

    assert steps == set(playbooks)
    assert all(scenario.parent.joinpath(playbook).is_file() for playbook in playbooks.values())
