"""A systemctl that says what a test wants."""

from pathlib import Path

from lambda_app.core.operate.components import Kind
from tests.support import components

LONG_RUNNING = "ActiveState=active\nSubState=running\n"
RESTING = "ActiveState=inactive\nSubState=dead\n"


class Systemctl:
    """A program on the PATH that prints what it is given."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        program = directory / "systemctl"
        program.write_text(f"#!/bin/sh\ncat {directory}/shown\n", encoding="utf-8")
        program.chmod(0o755)
        waiting = "ActiveState=active\nSubState=waiting\n"
        by_kind = {Kind.JOB: RESTING, Kind.TIMER: waiting, Kind.PATH: waiting}
        self.states = {row.unit: by_kind.get(row.kind, LONG_RUNNING) for row in components.TABLE}
        self.show()

    def show(self, **states: str) -> None:
        common = "LoadState=loaded\nResult=success\nMemoryCurrent=104857600\nMemoryMax=2147483648\n"
        cpu = "CPUUsageNSec=5000000000\nCPUQuotaPerSecUSec=250ms\n"
        text = "\n".join(f"Id={unit}\n{common}{cpu}{state}" for unit, state in (self.states | states).items())
        (self.directory / "shown").write_text(text, encoding="utf-8")
