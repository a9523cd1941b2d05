"""File systems of the hosts: what is left, and when nothing will be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lambda_app.core.metrics.scraped import Scraped

_IN_MEMORY = {"tmpfs", "ramfs"}
# Where containers have single files mounted, of file systems that are somebody else's.
_CONFIGURATION = "/etc/"
# Prometheus answers with the seconds until each file system is full at the pace of six hours, -1 for one that does not
# fill up. Without an hour of history there is no answer: the installation alone would look like a pace.
SECONDS_UNTIL_FULL = (
    '(node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs"} / -(deriv(node_filesystem_avail_bytes[6h]) < 0)'
    ' or node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs"} * 0 - 1)'
    " and node_filesystem_avail_bytes offset 1h"
)


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A file system of a host."""

    host: str
    mountpoint: str
    size_bytes: int
    # What programs without root's rights may still write.
    free_bytes: int
    # Whether Prometheus knows its pace; if so, the seconds until it is full, None: it does not fill up.
    is_pace_known: bool = False
    full_in_seconds: float | None = None


def remote_disks(host: str, scraped: Scraped) -> tuple[DiskFacts, ...]:
    """From its node exporter: each device once, by its shortest mount point; none in memory or read-only."""
    by_device: dict[str, DiskFacts] = {}
    for sample in scraped.named("node_filesystem_avail_bytes"):
        labels = {key: sample.labels.get(key, "") for key in ("device", "mountpoint", "fstype")}
        size = scraped.value("node_filesystem_size_bytes", **labels)
        read_only = scraped.value("node_filesystem_readonly", **labels)
        is_foreign = labels["fstype"] in _IN_MEMORY or labels["mountpoint"].startswith(_CONFIGURATION)
        if is_foreign or read_only == 1 or not size:
            continue
        disk = DiskFacts(host, labels["mountpoint"], int(size), int(sample.value))
        known = by_device.get(labels["device"])
        if known is None or len(disk.mountpoint) < len(known.mountpoint):
            by_device[labels["device"]] = disk
    return tuple(sorted(by_device.values(), key=lambda disk: disk.mountpoint))


def with_pace(disks: Iterable[DiskFacts], seconds: Mapping[tuple[str, str], float]) -> tuple[DiskFacts, ...]:
    """The file systems with Prometheus' answer to SECONDS_UNTIL_FULL, by host and mount point."""
    paced = []
    for disk in disks:
        answer = seconds.get((disk.host, disk.mountpoint))
        full_in = None if answer is None or answer < 0 else answer
        paced.append(replace(disk, is_pace_known=answer is not None, full_in_seconds=full_in))
    return tuple(paced)
