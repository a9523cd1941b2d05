"""Every role says the same in its argument specs, its defaults and its README."""

import re

import pytest

from tests.ansible import role_tables

PROJECT = role_tables.PROJECT


@pytest.mark.parametrize("role", role_tables.ROLES)
def test_role_documents_each_default_and_defaults_each_option(role: str) -> None:
    options, defaults = role_tables.options(role), role_tables.defaults(role)

    assert set(defaults) <= set(options)
    assert {name for name, option in options.items() if "default" in option} <= set(defaults)


@pytest.mark.parametrize("role", role_tables.ROLES)
def test_role_documents_its_defaults_as_they_are(role: str) -> None:
    options, defaults = role_tables.options(role), role_tables.defaults(role)

    # A default that is computed from others is described in words.
    fixed = {name: value for name, value in defaults.items() if "{{" not in str(value)}

    assert {name: options[name].get("default") for name in fixed} == fixed


@pytest.mark.parametrize("role", role_tables.ROLES)
def test_role_readme_has_the_table_of_its_options(role: str) -> None:
    readme = PROJECT.joinpath("roles", role, "README.md").read_text()

    assert role_tables.with_table(role, readme) == readme


# The role platform holds what is several roles'.
@pytest.mark.parametrize("role", sorted(set(role_tables.ROLES) - {"platform"}))
def test_role_keeps_its_prefix(role: str) -> None:
    own = {name for name in role_tables.defaults(role) if not name.startswith(f"{role}_")}
    internal = set(
        re.findall(
            r"^ *register: (\S+)", "".join(path.read_text() for path in PROJECT.glob(f"roles/{role}/tasks/*.yml")), re.M
        )
    )

    assert own == set()
    assert all(name.startswith(f"__{role}_") for name in internal)
