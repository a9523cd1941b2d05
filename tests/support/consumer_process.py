"""`lambda-app consume` as a process of its own, and its workers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.support.program import COMMAND, Program, memory_bytes


class ConsumerProcess(Program):
    drain_seconds = 20

    def __init__(
        self,
        environment: Mapping[str, str],
        bootstrap_servers: str,
        topic: str,
        workers: int = 2,
        changes: Mapping[str, str] = MappingProxyType({}),
        command: Sequence[str] = COMMAND,
    ) -> None:
        settings = {
            "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "LAMBDA_KAFKA_TOPIC": topic,
            # Members that a test killed shall not be waited for in the next.
            "LAMBDA_KAFKA_GROUP": f"group-of-{topic}",
            "LAMBDA_CONSUME_WORKERS": str(workers),
        }
        super().__init__({**environment, **settings, **changes}, "consume", command=command)

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="utf-8")
        return [int(pid) for pid in children.split()]

    def worker_memory_bytes(self) -> int:
        """What its workers hold in memory together."""
        return sum(map(memory_bytes, self.workers()))


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
