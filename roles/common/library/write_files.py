#!/usr/bin/python
"""Ansible module: files that root owns and everyone may read, with their directories, all in one go.

A loop over copy or template runs two modules for each file, half a second where the platform is installed already.
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: write_files
short_description: Writes several files in one go
description:
  - Each file belongs to root and has mode 0644. Directories that are missing are made, for root, with mode 0755.
options:
  files:
    description: What stands in each file, by its path.
    type: dict
    required: true
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
ROOT_ALONE_WRITES = {"owner": "root", "group": "root"}


def text_of(path: str) -> "str | None":
    """What stands in a file now, None when it is not there."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(module: AnsibleModule, path: str, text: str) -> None:
    """The file holds the text, whenever somebody reads it."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    module.atomic_move(draft, path)


def has_other_attributes(module: AnsibleModule, path: str, mode: str) -> bool:
    """Whether owner, group or mode were others; they are right afterwards, but for check mode."""
    attributes = module.load_file_common_arguments({**ROOT_ALONE_WRITES, "mode": mode}, path)
    return bool(module.set_fs_attributes_if_different(attributes, changed=False))


def main() -> None:
    module = AnsibleModule(
        argument_spec={"files": {"type": "dict", "required": True}},
        supports_check_mode=True,
    )
    written, differences = [], []
    for path, text in sorted(module.params["files"].items()):
        before = text_of(path)
        if before != text:
            written.append(path)
            differences.append(
                {"before_header": path, "after_header": path, "before": before or "", "after": text},
            )
            if not module.check_mode:
                write(module, path, text)
    paths = dict.fromkeys(module.params["files"], "0644")
    directories = {os.path.dirname(path): "0755" for path in paths}
    others = [
        path
        for path, mode in sorted({**paths, **directories}.items())
        if os.path.exists(path) and has_other_attributes(module, path, mode)
    ]
    module.exit_json(changed=bool(written or others), written=written, diff=differences)


if __name__ == "__main__":
    main()
