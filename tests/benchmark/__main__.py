"""`python -m tests.benchmark [NAME...]`: measures, prints a line a figure; exit 1 when one is missed."""

import importlib
import platform
import sys
from pathlib import Path

from tests.benchmark.platform_under_test import running_platform

NAMES = ("drain", "aggregates", "history", "latency", "rest", "producer", "csv_load", "recompute", "serving")


def machine() -> str:
    """What it was measured on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {len(models)} cores, Linux {platform.release()}, Python {platform.python_version()}"


def main(names: list[str]) -> int:
    unknown = set(names) - set(NAMES)
    if unknown:
        print(f"No benchmark {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    print(machine())
    is_met = True
    with running_platform() as platform_under_test:
        for name in names or NAMES:
            for figure in importlib.import_module(f"tests.benchmark.{name}").measure(platform_under_test):
                print(figure, flush=True)
                is_met = is_met and figure.is_met
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
