"""Reads the files of a control group, wherever this host's kernel has them."""

from dataclasses import replace
from pathlib import Path

from lambda_app.core.operate.cgroup import V1_FILES, V2_FILES, CgroupUse, use_v1, use_v2

ROOT = Path("/sys/fs/cgroup")


def read_use(control_group: str, root: Path = ROOT) -> CgroupUse:
    """What a group uses now (systemd's ControlGroup=, such as /lambda.slice/kafka.service); unknown when it is gone."""
    path = control_group.lstrip("/")
    if (root / "cgroup.controllers").exists():
        return use_v2(_contents(root / path, V2_FILES))
    files: dict[str, str] = {}
    for controller, names in V1_FILES.items():
        files |= _contents(root / controller / path, names)
    use = use_v1(files)
    if use.cpu_seconds is None:
        # Where both versions are mounted, CPU time may be counted in the second one's hierarchy alone.
        use = replace(use, cpu_seconds=use_v2(_contents(root / "unified" / path, ("cpu.stat",))).cpu_seconds)
    return use


def processes(control_group: str, root: Path = ROOT) -> list[int]:
    """The processes of a group; none when it is gone."""
    for hierarchy in (root, root / "unified", root / "systemd"):
        numbers = _contents(hierarchy / control_group.lstrip("/"), ("cgroup.procs",)).get("cgroup.procs", "").split()
        if numbers:
            return [int(number) for number in numbers]
    return []


def _contents(directory: Path, names: tuple[str, ...]) -> dict[str, str]:
    contents = {}
    for name in names:
        try:
            contents[name] = (directory / name).read_text(encoding="ascii")
        except OSError:
            # The unit ended, or this kernel has no such file.
            continue
    return contents
