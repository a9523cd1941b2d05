"""The files of control groups, of both versions, as numbers."""

from pathlib import Path

import pytest

from lambda_app.core.operate.cgroup import CgroupUse, throttled_share, use_v1, use_v2
from lambda_app.host.cgroups import ROOT, read_use

V1 = {
    "cpu/cpu.stat": "nr_periods 325\nnr_throttled 300\nthrottled_time 24000000000\n",
    "cpu/cpu.cfs_quota_us": "25000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpuacct/cpuacct.usage": "8125000000\n",
    "memory/memory.usage_in_bytes": "1048576\n",
    "memory/memory.limit_in_bytes": "1073741824\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "memory/memory.stat": "active_file 1\ntotal_active_file 100000\ntotal_inactive_file 48576\ntotal_unevictable 5\n",
    "pids/pids.current": "7\n",
    "pids/pids.max": "512\n",
}
V2 = {
    "cpu.stat": "usage_usec 8125000\nuser_usec 8000000\nsystem_usec 125000\nnr_periods 325\nnr_throttled 300\n",
    "cpu.max": "25000 100000\n",
    "memory.current": "1048576\n",
    "memory.max": "1073741824\n",
    "memory.events": "low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\n",
    "memory.stat": "anon 800000\nshmem 100000\nactive_file 100000\ninactive_file 48576\n",
    "pids.current": "7\n",
    "pids.max": "512\n",
}
USE = CgroupUse(8.125, 0.25, 325, 300, 1048576, 1073741824, 2, 7, 512, 900000)


def group_of(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        hierarchy, _, file = name.rpartition("/")
        path = root / hierarchy / "lambda.slice/kafka.service" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


def test_version_1_lies_in_a_hierarchy_a_controller(tmp_path: Path) -> None:
    assert read_use("/lambda.slice/kafka.service", group_of(tmp_path, V1)) == USE


def test_version_2_lies_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n", encoding="ascii")

    assert read_use("/lambda.slice/kafka.service", group_of(tmp_path, V2)) == USE


def test_cpu_time_is_found_where_both_versions_are_mounted(tmp_path: Path) -> None:
    files = {name: text for name, text in V1.items() if not name.startswith("cpuacct/")}

    assert read_use("/lambda.slice/kafka.service", group_of(tmp_path, files)).cpu_seconds is None
    assert read_use("/lambda.slice/kafka.service", group_of(tmp_path, {"unified/cpu.stat": V2["cpu.stat"]})) == USE


def test_what_has_no_limit_says_so_in_three_ways() -> None:
    v1 = use_v1({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000", "memory.limit_in_bytes": str(2**63 - 4096)})
    v2 = use_v2({"cpu.max": "max 100000\n", "memory.max": "max\n", "pids.max": "max\n"})

    assert v1 == v2 == CgroupUse()


def test_cache_that_grew_between_two_reads_leaves_nothing() -> None:
    files = {"memory.current": "4096\n", "memory.stat": "active_file 4096\ninactive_file 4096\n"}

    assert use_v2(files).memory_without_cache_bytes == 0
    assert use_v2(files | {"memory.stat": "active_file 4096\n"}).memory_without_cache_bytes is None


def test_group_that_is_gone_says_nothing(tmp_path: Path) -> None:
    assert read_use("/lambda.slice/gone.service", group_of(tmp_path, V1)) == CgroupUse()


@pytest.mark.skipif(not ROOT.is_dir(), reason="no control groups here")
def test_this_kernel_is_understood() -> None:
    assert (read_use("/").cpu_seconds or 0) > 0


@pytest.mark.parametrize(
    ("earlier", "later", "share"),
    [
        ((10, 1), (20, 6), 0.5),
        ((10, 1), (20, 1), 0.0),
        # It had no work in between.
        ((10, 1), (10, 1), 0.0),
        # It was started again.
        ((10, 8), (4, 2), 0.0),
        ((10, 8), (12, 2), 0.0),
        ((None, None), (20, 6), None),
        ((10, None), (20, 6), None),
    ],
)
def test_throttled_is_a_share_of_the_periods_between_two_looks(earlier, later, share):
    uses = [CgroupUse(periods=periods, throttled_periods=throttled) for periods, throttled in (earlier, later)]

    assert throttled_share(*uses) == share
