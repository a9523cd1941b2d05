"""Every role says the same in its argument specs, its defaults and its README."""

import re

import pytest
import yaml

from tests.ansible import role_tables

PROJECT = role_tables.PROJECT


# The role platform holds the defaults that several roles read; the role of the component explains them.
SHARED = role_tables.defaults("platform")
OTHERS = sorted(set(role_tables.ROLES) - {"platform"})


@pytest.mark.parametrize("role", OTHERS)
def test_role_documents_each_default_and_defaults_each_option(role: str) -> None:
    options, defaults = role_tables.options(role), role_tables.defaults(role)

    assert set(defaults) <= set(options)
    assert {name for name, option in options.items() if "default" in option} <= set(defaults | SHARED)


def test_shared_default_is_documented_once() -> None:
    documented = [name for role in role_tables.ROLES for name in role_tables.options(role) if name in SHARED]

    assert set(documented) == set(SHARED)
    # A password is required by each role that writes it.
    assert {name for name in documented if documented.count(name) > 1} <= {"postgres_passwords"}


@pytest.mark.parametrize("role", role_tables.ROLES)
def test_role_documents_its_defaults_as_they_are(role: str) -> None:
    options, defaults = role_tables.options(role), role_tables.defaults(role)
    of_others = set(SHARED) - set(options) if role == "platform" else set()
    described = defaults | {name: value for name, value in SHARED.items() if name in options}

    # A default that is computed from others is described in words.
    fixed = {name: value for name, value in described.items() if "{{" not in str(value) and name not in of_others}

    assert {name: options[name].get("default") for name in fixed} == fixed


@pytest.mark.parametrize("name", SHARED)
def test_shared_default_stands_nowhere_else(name: str) -> None:
    assert [role for role in OTHERS if name in role_tables.defaults(role)] == []


@pytest.mark.parametrize("name", ["local", "sandbox", "cluster"])
def test_inventory_has_no_second_copy_of_a_default(name: str) -> None:
    paths = PROJECT.glob(f"inventory/{name}/group_vars/*.yml")
    values = {key: value for path in paths for key, value in (yaml.safe_load(path.read_text()) or {}).items()}
    all_defaults = {key: value for role in role_tables.ROLES for key, value in role_tables.defaults(role).items()}

    assert [key for key, value in values.items() if all_defaults.get(key, object()) == value] == []


def test_inventory_shows_what_a_user_may_change_with_the_defaults_as_they_are() -> None:
    text = PROJECT.joinpath("inventory/local/group_vars/all.yml").read_text()
    all_defaults = {key: value for role in role_tables.ROLES for key, value in role_tables.defaults(role).items()}

    shown = yaml.safe_load("\n".join(line[2:] for line in text.splitlines() if re.match(r"# [a-z_]+:", line)))

    # Without one, all transactions are kept.
    assert shown.pop("transactions_retention_days") is None
    assert len(shown) >= 15
    assert shown == {key: all_defaults.get(key) for key in shown}


@pytest.mark.parametrize("role", role_tables.ROLES)
def test_role_readme_has_the_table_of_its_options(role: str) -> None:
    readme = PROJECT.joinpath("roles", role, "README.md").read_text()

    assert role_tables.with_table(role, readme) == readme


@pytest.mark.parametrize("role", OTHERS)
def test_role_keeps_its_prefix(role: str) -> None:
    own = {name for name in role_tables.defaults(role) if not name.startswith(f"{role}_")}
    internal = set(
        re.findall(
            r"^ *register: (\S+)", "".join(path.read_text() for path in PROJECT.glob(f"roles/{role}/tasks/*.yml")), re.M
        )
    )

    assert own == set()
    assert all(name.startswith(f"__{role}_") for name in internal)
