"""The schema of `lambda-app status --json`, held to what the program says."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.processes import REPOSITORY

SCHEMA = json.loads(REPOSITORY.joinpath("docs/status.schema.json").read_text())


def valid(text: str) -> dict[str, Any]:
    """The document, which has every key of the schema and no other."""
    document = json.loads(text)
    Draft202012Validator(_strict(SCHEMA), format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    return dict(document)


def _strict(schema: Any) -> Any:
    """The schema without room for keys that it does not name: programs must allow new ones, this test must not."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    return strict | {"additionalProperties": False} if isinstance(strict.get("properties"), dict) else strict
