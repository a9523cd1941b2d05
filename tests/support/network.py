"""Faults of the network, and a count of connections: iptables rules for one port on loopback, gone with the block."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

COMMENT = "lambda-platform-test"

# Each as rules for what the client sends (to the port) and for what it gets (from the port).
DROP = ["-j", "DROP"]
RESET = ["-j", "REJECT", "--reject-with", "tcp-reset"]
LOSE_30_PERCENT = ["-m", "statistic", "--mode", "random", "--probability", "0.3", "-j", "DROP"]
FAULTS: dict[str, tuple[Sequence[str] | None, Sequence[str] | None]] = {
    "cut both ways": (DROP, DROP),
    "half-open, no requests": (DROP, None),
    "half-open, no answers": (None, DROP),
    "resets": (RESET, RESET),
    "30 % loss": (LOSE_30_PERCENT, LOSE_30_PERCENT),
}


@contextmanager
def fault(name: str, port: int) -> Iterator[None]:
    """Lets this happen to the connections of a server on loopback while the block runs."""
    to_port, from_port = FAULTS[name]
    with _rule("--dport", port, to_port), _rule("--sport", port, from_port):
        yield


@contextmanager
def counted_connections(port: int) -> Iterator[list[int]]:
    """Counts the attempts to connect while the block runs, the refused ones too; they are in the list behind it."""
    count: list[int] = []
    with _rule("--dport", port, ["--syn"]) as rule:
        yield count
        listing = _iptables("--list", "INPUT", "--verbose", "--numeric", "--exact").splitlines()
        count += [int(line.split()[0]) for line in listing if rule in line]


@contextmanager
def _rule(side: str, port: int, rest: Sequence[str] | None) -> Iterator[str]:
    if rest is None:
        yield ""
        return
    comment = f"{COMMENT} {side} {port}"
    rule = [
        "INPUT",
        "--in-interface",
        "lo",
        "--protocol",
        "tcp",
        side,
        str(port),
        "-m",
        "comment",
        "--comment",
        comment,
    ]
    # Before all others: a rule that accepts must not come first.
    _iptables("--insert", *rule, *rest)
    try:
        yield f"/* {comment} */"
    finally:
        _iptables("--delete", *rule, *rest)


def _iptables(*arguments: str) -> str:
    assert shutil.which("iptables"), "this test needs iptables: apt-get install iptables"
    run = subprocess.run(["iptables", "--wait", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"iptables {' '.join(arguments)}: {run.stderr} (it needs root)"
    return run.stdout
