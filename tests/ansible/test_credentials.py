"""What a credential's change restarts is what loads it: the table of roles/common against the unit files."""

from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
VARIABLES = yaml.safe_load(PROJECT.joinpath("roles/common/vars/main.yml").read_text())
CREDENTIALS = VARIABLES["__common_credentials"]
HANDLERS = yaml.safe_load(PROJECT.joinpath("roles/common/handlers/main.yml").read_text())


def components_that_load(credential: str) -> set[str]:
    """Those that keep running, or have run for good until the next boot, with what they loaded at their start."""
    units = {unit.stem: unit.read_text() for unit in PROJECT.glob("systemd/*.service")}
    for drop_in in PROJECT.glob("roles/*/files/*.service.d/*.conf"):
        units[drop_in.parent.name.removesuffix(".service.d")] += drop_in.read_text()
    jobs = {name for name, text in units.items() if "Type=oneshot" in text and "RemainAfterExit=yes" not in text}
    return {name for name, text in units.items() if f"LoadCredential={credential}:" in text} - jobs


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_changed_credential_restarts_what_loads_it(credential: str) -> None:
    assert set(CREDENTIALS[credential]["restart"]) == components_that_load(credential)


def test_each_restart_has_a_handler_that_every_play_has() -> None:
    restarts = {f"Restart {name}" for credential in CREDENTIALS.values() for name in credential["restart"]}

    assert restarts <= {handler["name"] for handler in HANDLERS}


def test_no_role_but_common_writes_these_credentials() -> None:
    tasks = {path: path.read_text() for path in PROJECT.glob("roles/*/tasks/*.yml")}
    writers = {path.parts[-3] for path, text in tasks.items() for name in CREDENTIALS if f"credentials/{name}" in text}

    assert writers == set()
