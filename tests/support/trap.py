"""`lambda-app` with traps: at named points of its code a process gets a signal. Nothing of this is in the product.

    python -m tests.support.trap \
        "layers.store store_chunk after SIGKILL 3; stream.positions advance after SIGKILL 1" consume

MODULE FUNCTION MOMENT SIGNAL COUNT: before or after the third call of a function that is looked up in that module, or
of a CLASS.METHOD of it; `database.copy copy_in during`: with half of the rows on their way. Each trap is set when the
one before has sprung.
"""

import importlib
import io
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from functools import reduce
from types import SimpleNamespace
from typing import ClassVar


def trapped(*traps: str) -> list[str]:
    """The command for a Program that goes into these traps."""
    return [sys.executable, "-m", "tests.support.trap", "; ".join(traps)]


class _Traps:
    """Shared by all the processes that are forked from this one: each trap springs once, for the first that comes."""

    def __init__(self) -> None:
        self._lock = multiprocessing.get_context("fork").RLock()
        self._sprung = multiprocessing.get_context("fork").RawValue("i", 0)
        self._calls = multiprocessing.get_context("fork").RawValue("i", 0)

    def pass_by(self, place: int, how: signal.Signals, count: int) -> None:
        with self._lock:
            if self._sprung.value != place:
                return
            self._calls.value += 1
            if self._calls.value < count:
                return
            self._sprung.value, self._calls.value = place + 1, 0
        # To this thread: by a signal to the process the others stop first, and this one a little later.
        signal.pthread_kill(threading.get_ident(), how)


def _set(module_name: str, name: str, moment: str, spring: Callable[[], None]) -> None:
    module = importlib.import_module(f"lambda_app.{module_name}")
    if moment == "during":
        assert (module_name, name) == ("database.copy", "copy_in")
        _Halves.springs.append(spring)
        module.io = SimpleNamespace(BytesIO=_Halves)  # type: ignore[attr-defined]
        return
    *owners, name = name.split(".")
    owner = reduce(getattr, owners, module)
    function = getattr(owner, name)

    def with_trap(*arguments: object, **options: object) -> object:
        if moment == "before":
            spring()
        result = function(*arguments, **options)
        if moment == "after":
            spring()
        return result

    setattr(owner, name, with_trap)


class _Halves(io.BytesIO):
    """Gives half of the text, then the traps, then the rest."""

    springs: ClassVar[list[Callable[[], None]]] = []

    def read(self, size: int | None = -1) -> bytes:
        half = len(self.getbuffer()) // 2 + 1
        if self.tell() == half:
            for spring in self.springs:
                spring()
        return super().read(half)


def main() -> None:
    traps = _Traps()
    for place, text in enumerate(sys.argv.pop(1).split(";")):
        module, name, moment, how, count = text.split()
        number, least = signal.Signals[how], int(count)
        _set(module, name, moment, lambda p=place, h=number, c=least: traps.pass_by(p, h, c))  # type: ignore[misc]
    importlib.import_module("lambda_app.cli").main()


if __name__ == "__main__":
    main()
