#!/usr/bin/python
"""Brings pgAdmin's own database to what the inventory says: the login, its password, the server in its tree.

Runs as pgAdmin's user in pgAdmin's environment. pgAdmin's setup.py would take the new password on its command line and
add the server again at each run. Starting pgAdmin takes seconds, so a run with the same options ends at the stamp.
"""

import builtins
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sys
from importlib import metadata, util
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: pgadmin_setup
short_description: The login and the server of a pgAdmin
description:
  - Creates or upgrades pgAdmin's own database, gives the login its password, and puts a server into its tree.
  - Has to run with the interpreter of pgAdmin's environment, as pgAdmin's user.
options:
  email: {description: The login., type: str, required: true}
  password: {description: Its password., type: str, required: true}
  server_name: {description: How the tree names the server., type: str, required: true}
  server_database: {description: Its maintenance database., type: str, required: true}
  server_service: {description: The libpq service that says how to connect., type: str, required: true}
  config: {description: pgAdmin's settings file., type: path, required: true}
  stamp: {description: A file of this module. It remembers what was set up., type: path, required: true}
author: The Lambda Data Platform
"""

EXAMPLES = r"""
- name: The login exists and the tree shows the database
  pgadmin_setup:
    email: admin@example.com
    password: "{{ pgadmin_login_password }}"
    server_name: Lambda data platform
    server_database: lambda
    server_service: lambda
    config: /etc/pgadmin/config.py
    stamp: /var/lib/pgadmin/set-up
  become: true
  become_user: pgadmin
  vars:
    ansible_python_interpreter: /opt/pgadmin/bin/python
"""

RETURN = r"""
actions:
  description: What was done, in words.
  type: list
  elements: str
  returned: always
"""


Options = dict[str, str]


def digest(params: Options, salt: str) -> str:
    """A slow hash, since the password is in it."""
    inputs = json.dumps([metadata.version("pgadmin4"), Path(params["config"]).read_text(), params], sort_keys=True)
    return hashlib.scrypt(inputs.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


def is_set_up(params: Options) -> bool:
    """Whether an earlier run set up this version of pgAdmin with these options and these settings."""
    try:
        salt, known = Path(params["stamp"]).read_text().split()
    except (FileNotFoundError, ValueError):
        return False
    return hmac.compare_digest(known, digest(params, salt))


def remember(params: Options) -> None:
    salt = secrets.token_hex(16)
    Path(params["stamp"]).write_text(f"{salt} {digest(params, salt)}\n")


def start_pgadmin(params: Options) -> Any:
    """Creates pgAdmin's database when there is none, with the login; migrates it when it is older."""
    os.environ.update(
        CONFIG_DISTRO_FILE_PATH=params["config"],
        PGADMIN_SETUP_EMAIL=params["email"],
        PGADMIN_SETUP_PASSWORD=params["password"],
    )
    package = util.find_spec("pgadmin4")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError(f"pgAdmin is not installed for {sys.executable}")
    sys.path.insert(0, package.submodule_search_locations[0])
    vars(builtins)["SERVER_MODE"] = True
    # pgAdmin's modules import each other: this one has to be the first.
    import config  # noqa: F401
    from pgadmin import create_app

    return create_app()


def set_login(params: Options) -> tuple[Any, list[str]]:
    """Returns the user and what was done."""
    from flask_security.utils import hash_password, verify_password
    from pgadmin.model import User, db
    from pgadmin.tools.user_management import create_user

    user = User.query.filter_by(username=params["email"], auth_source="internal").first()
    if user is None:
        from pgadmin.model import Role

        role = Role.query.filter_by(name="Administrator").first()
        done, message = create_user(
            {
                "email": params["email"],
                "role": role.id,
                "active": True,
                "auth_source": "internal",
                "newPassword": params["password"],
                "confirmPassword": params["password"],
            }
        )
        if not done:
            raise RuntimeError(message)
        return User.query.filter_by(username=params["email"], auth_source="internal").one(), ["created the login"]
    if verify_password(params["password"], user.password):
        return user, []
    user.password = hash_password(params["password"])
    user.locked = False
    user.login_attempts = 0
    db.session.commit()
    return user, ["changed the login's password"]


def set_server(params: Options, user: Any) -> list[str]:
    """Returns what was done; a server that a user changed gets the options back."""
    from pgadmin.model import Server, ServerGroup, db

    group = ServerGroup.query.filter_by(user_id=user.id).order_by(ServerGroup.id).first()
    if group is None:
        group = ServerGroup(user_id=user.id, name="Servers")
        db.session.add(group)
        db.session.flush()
    server = Server.query.filter_by(user_id=user.id, name=params["server_name"]).first()
    actions = []
    if server is None:
        server = Server(user_id=user.id, servergroup_id=group.id, name=params["server_name"])
        db.session.add(server)
        actions.append("added the server")
    wanted = {
        "service": params["server_service"],
        "maintenance_db": params["server_database"],
        "connection_params": {"connect_timeout": 10},
        # Shows no other database: lambda_reader may not connect to them.
        "db_res": params["server_database"],
        "db_res_type": "databases",
    }
    for name, value in wanted.items():
        if getattr(server, name) != value:
            setattr(server, name, value)
            actions.append(f"set the server's {name}")
    db.session.commit()
    return actions


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "email": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "server_name": {"type": "str", "required": True},
            "server_database": {"type": "str", "required": True},
            "server_service": {"type": "str", "required": True},
            "config": {"type": "path", "required": True},
            "stamp": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    if is_set_up(params):
        module.exit_json(changed=False, actions=[])
    if module.check_mode:
        module.exit_json(changed=True, actions=["set up pgAdmin"])
    os.umask(0o077)
    # pgAdmin prints; Ansible reads the standard output.
    with contextlib.redirect_stdout(sys.stderr):
        app = start_pgadmin(params)
        with app.test_request_context():
            user, actions = set_login(params)
            actions += set_server(params, user)
    remember(params)
    module.exit_json(changed=True, actions=actions)


if __name__ == "__main__":
    main()
