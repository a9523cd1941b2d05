"""Loads a module of a role, whose folder is no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).parents[2]


def load(role: str, name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, PROJECT / f"roles/{role}/library/{name}.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
