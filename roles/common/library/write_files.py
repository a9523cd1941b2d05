#!/usr/bin/python
"""Ansible module: files that root owns, with their directories, all in one go.

A loop over copy or template runs two modules for each file, half a second where the platform is installed already.
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: write_files
short_description: Writes several files in one go
description:
  - Each file belongs to root. Directories that are missing are made, for root, with mode 0755.
options:
  files:
    description: What stands in each file, by its path.
    type: dict
    required: true
  mode:
    description: The mode of each file.
    type: str
    default: "0644"
author: Lambda Data Platform
"""
EXAMPLES = r"""
- name: The drop-ins are written
  write_files:
    files:
      /etc/systemd/system/kafka.service.d/10-limits.conf: |
        [Service]
        CPUQuota=400%
"""
RETURN = r"""
written:
  description: Paths of the files that differed.
  type: list
  elements: str
  returned: always
"""


def text_of(path: str) -> "str | None":
    """What stands in a file now, None when it is not there."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(module: AnsibleModule, path: str, text: str) -> None:
    """The file holds the text: for who reads it at this moment, all of it or what it held before."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        os.makedirs(directory)
        module.set_mode_if_different(directory, "0755", changed=False)
    handle, draft = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    module.atomic_move(draft, path)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "dict", "required": True},
            "mode": {"type": "str", "default": "0644"},
        },
        supports_check_mode=True,
    )
    attributes = {"owner": "root", "group": "root", "mode": module.params["mode"]}
    written, differences, is_changed = [], [], False
    for path, text in sorted(module.params["files"].items()):
        before = text_of(path)
        if before != text:
            written.append(path)
            differences.append({"before_header": path, "after_header": path, "before": before or "", "after": text})
            if not module.check_mode:
                write(module, path, text)
        if os.path.exists(path):
            wanted = module.load_file_common_arguments(attributes, path)
            is_changed = module.set_fs_attributes_if_different(wanted, is_changed)
    module.exit_json(changed=bool(written) or is_changed, written=written, diff=differences)


if __name__ == "__main__":
    main()
