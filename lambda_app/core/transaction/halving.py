"""Many values at once, although a few of them may be bad."""

from collections.abc import Callable

# Fewer than these are judged one by one.
_FEW = 32

Range = Callable[[int, int], None]


def by_halves(start: int, end: int, take_all: Range, take_each: Range, faults: tuple[type[Exception], ...]) -> None:
    """Calls `take_all` for the range; when it raises a fault, halves it until few are left, which `take_each` gets.

    The parts come in their order. `take_all` takes nothing when it raises.
    """
    try:
        take_all(start, end)
    except faults:
        if end - start <= _FEW:
            take_each(start, end)
            return
        middle = (start + end) // 2
        by_halves(start, middle, take_all, take_each, faults)
        by_halves(middle, end, take_all, take_each, faults)
