"""The table of components as Ansible deploys it, without the overrides of an inventory."""

import json

from lambda_app.core.operate.components import parse_components
from tests.ansible import component_tables

JSON = json.dumps(component_tables.rows())
TABLE = parse_components(JSON)
