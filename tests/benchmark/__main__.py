"""`python -m tests.benchmark [NAME...]`: measures, prints a line a figure; exit 1 when one is missed."""

import importlib
import platform
import sys
from pathlib import Path

from tests.benchmark.platform_under_test import running_platform

# How cost grows with what is stored, asked for and sent.
GROWTH = ("history", "partitions", "message_sizes", "planning", "memory")
STREAM = ("drain", "disorder", "aggregates", "watched", "latency", "rest", "producer")
LAYERS = ("csv_load", "row_cost", "recompute", "serving")
NAMES = (*STREAM, *LAYERS, *GROWTH)
GROUPS = {"growth": GROWTH}


def machine() -> str:
    """What it was measured on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {len(models)} cores, Linux {platform.release()}, Python {platform.python_version()}"


class StolenTime:
    """What the machine's host gave to others, since it was made."""

    def __init__(self) -> None:
        self._stolen, self._all = self._read()

    def percent(self) -> float:
        stolen, total = self._read()
        return 100 * (stolen - self._stolen) / max(1, total - self._all)

    @staticmethod
    def _read() -> tuple[int, int]:
        fields = [int(field) for field in Path("/proc/stat").read_text(encoding="utf-8").split("\n")[0].split()[1:9]]
        return fields[7], sum(fields)


def main(names: list[str]) -> int:
    unknown = set(names) - {*NAMES, *GROUPS}
    if unknown:
        there_are = ", ".join([*NAMES, *GROUPS])
        print(f"No benchmark {', '.join(sorted(unknown))}: there are {there_are}.", file=sys.stderr)
        return 2
    names = [each for name in names for each in GROUPS.get(name, (name,))]
    print(machine())
    is_met = True
    with running_platform() as platform_under_test:
        for name in names or NAMES:
            stolen = StolenTime()
            for figure in importlib.import_module(f"tests.benchmark.{name}").measure(platform_under_test):
                print(figure, flush=True)
                is_met = is_met and not figure.is_missed
            print(f"{name}: {stolen.percent():.1f} % of the machine's time was stolen", flush=True)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
