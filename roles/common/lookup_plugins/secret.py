"""The content of a file of the secrets directory, which is generated at the first look.

Ansible's own lookup `password` takes its path and its options from one text, and so fails where the path has a quote.
"""

import os
import secrets
import string
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = r"""
name: secret
short_description: A generated password that is kept in a file
description:
  - Returns the first line of a file on the controller. A file that is not there is made, with 32 letters and digits,
    mode 0600, in a directory of mode 0700.
options:
  _terms:
    description: Paths of the files.
    required: true
author: Lambda Data Platform
"""
EXAMPLES = r"""
- name: The password of a user
  ansible.builtin.debug:
    msg: "{{ lookup('secret', secrets_directory ~ '/kafka-admin') }}"
"""
RETURN = r"""
_raw:
  description: The passwords.
  type: list
  elements: str
"""

LENGTH = 32


def generate(path: Path) -> None:
    """Makes the file, unless another process was faster: it appears under its name when it is complete."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(LENGTH)) + "\n")
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()


def read(path: Path) -> str:
    if not path.exists():
        generate(path)
    lines = path.read_text().splitlines()
    if not lines or not lines[0]:
        raise AnsibleError(f"{path} is empty: write the password into it, or delete it to get a generated one.")
    return lines[0]


class LookupModule(LookupBase):
    """`lookup('secret', path)`."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[str]:
        try:
            return [read(Path(term)) for term in terms]
        except (OSError, UnicodeDecodeError) as error:
            raise AnsibleError(f"A secret cannot be read or made: {error}") from error
