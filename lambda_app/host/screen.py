"""A page that is drawn again and again in the same place of the terminal, until Ctrl-C."""

import shutil
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from lambda_app.host import terminal
from lambda_app.host.clock import Clock
from lambda_app.host.terminal import Line, Page

# What xterm and all that is like it understand: the second screen, and whether there is a cursor.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
# The place of c_lflag in what termios gives.
_LOCAL_MODES = 3
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def watch(look: Callable[[], Page], seconds: float, clock: Clock) -> None:
    """Shows what `look` gives, so many seconds from one look to the next. Ends by Ctrl-C, which is no error.

    What was shown last stays on the terminal. Without a terminal the pages are printed one after the other.
    """
    if not terminal.is_terminal():
        repeat(lambda: terminal.say_page([*look(), Line("")]), seconds, clock)
        return
    page: Page | None = None
    try:
        start, page = clock.monotonic(), look()
        with _screen():
            while True:
                _draw(page)
                clock.sleep(max(0.0, seconds - (clock.monotonic() - start)))
                start, page = clock.monotonic(), look()
    except KeyboardInterrupt:
        if page is not None:
            terminal.say_page(page)


def repeat(act: Callable[[], None], seconds: float, clock: Clock) -> None:
    """Does it so many seconds from one beginning to the next, and what it prints is out at once. Ends by Ctrl-C."""
    with suppress(KeyboardInterrupt):
        while True:
            start = clock.monotonic()
            act()
            sys.stdout.flush()
            clock.sleep(max(0.0, seconds - (clock.monotonic() - start)))


def _draw(page: Page) -> None:
    # One write of the whole page over the old one: clearing the screen first would flicker.
    lines = terminal.page_lines(page, shutil.get_terminal_size().lines)
    sys.stdout.write(_HOME + f"{_CLEAR_LINE}\n".join(lines) + _CLEAR_LINE + _CLEAR_BELOW)
    sys.stdout.flush()


@contextmanager
def _screen() -> Iterator[None]:
    def end(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    terminal_of, settings = sys.stdout.fileno(), termios.tcgetattr(sys.stdout.fileno())
    # Also when it is ended by SIGTERM the terminal gets back its cursor.
    before = signal.signal(signal.SIGTERM, end)
    try:
        # Ctrl-C would discard what is being written, the end of the second screen included, and show as ^C.
        quiet = [*settings[:_LOCAL_MODES], settings[_LOCAL_MODES] & ~termios.ECHO | termios.NOFLSH]
        termios.tcsetattr(terminal_of, termios.TCSADRAIN, quiet + settings[_LOCAL_MODES + 1 :])
        sys.stdout.write(_ENTER)
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(terminal_of, termios.TCSADRAIN, settings)
        signal.signal(signal.SIGTERM, before)
