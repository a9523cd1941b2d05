"""File systems from a node exporter, and when Prometheus expects them to be full."""

import subprocess
from pathlib import Path

import pytest
import yaml

from lambda_app.core.operate.disks import SECONDS_UNTIL_FULL, DiskFacts, remote_disks, with_pace
from lambda_app.host import exposition

SCRAPE = b"""\
node_filesystem_avail_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"} 40
node_filesystem_avail_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/srv"} 40
node_filesystem_avail_bytes{device="/dev/vda",fstype="ext4",mountpoint="/etc/hosts"} 40
node_filesystem_avail_bytes{device="/dev/sdb1",fstype="xfs",mountpoint="/var/lib/kafka"} 7
node_filesystem_avail_bytes{device="/dev/sr0",fstype="iso9660",mountpoint="/cdrom"} 0
node_filesystem_avail_bytes{device="/dev/sdc1",fstype="ext4",mountpoint="/empty"} 0
node_filesystem_avail_bytes{device="tmpfs",fstype="tmpfs",mountpoint="/run"} 5
node_filesystem_size_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"} 100
node_filesystem_size_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/srv"} 100
node_filesystem_size_bytes{device="/dev/vda",fstype="ext4",mountpoint="/etc/hosts"} 100
node_filesystem_size_bytes{device="/dev/sdb1",fstype="xfs",mountpoint="/var/lib/kafka"} 70
node_filesystem_size_bytes{device="/dev/sr0",fstype="iso9660",mountpoint="/cdrom"} 9
node_filesystem_size_bytes{device="/dev/sdc1",fstype="ext4",mountpoint="/empty"} 0
node_filesystem_size_bytes{device="tmpfs",fstype="tmpfs",mountpoint="/run"} 5
node_filesystem_readonly{device="/dev/sr0",fstype="iso9660",mountpoint="/cdrom"} 1
"""
ROOT, KAFKA = DiskFacts("b", "/", 100, 40), DiskFacts("b", "/var/lib/kafka", 70, 7)


def test_each_device_is_there_once_without_memory_and_what_is_read_only():
    assert remote_disks("b", exposition.parse(SCRAPE)) == (ROOT, KAFKA)


def test_pace_is_that_of_its_host_and_mount_point():
    answers = {("b", "/"): 3600.0, ("b", "/var/lib/kafka"): -1.0, ("c", "/"): 1.0}

    paced = with_pace([ROOT, KAFKA, DiskFacts("d", "/", 1, 1)], answers)

    assert [(disk.is_pace_known, disk.full_in_seconds) for disk in paced] == [
        (True, 3600.0),
        (True, None),
        (False, None),
    ]


@pytest.mark.parametrize(
    ("series", "at", "seconds"),
    [
        # A hundred a minute of 100,000: full when 1,000 minutes have passed.
        ("100000-100x360", "6h", "38400"),
        ("5000+0x360", "6h", "-1"),
        ("5000+100x360", "6h", "-1"),
        # No hour of history.
        ("100000-100x30", "30m", None),
    ],
)
def test_prometheus_answers_with_the_seconds_until_full(series, at, seconds, tmp_path: Path):
    labels = '{device="/dev/sda1", fstype="ext4", instance="b", mountpoint="/"}'
    samples = [] if seconds is None else [{"labels": labels, "value": float(seconds)}]
    query = {"expr": f"round({SECONDS_UNTIL_FULL})", "eval_time": at, "exp_samples": samples}
    test = {
        "interval": "1m",
        "input_series": [{"series": f"node_filesystem_avail_bytes{labels}", "values": series}],
        "promql_expr_test": [query],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))

    result = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr
