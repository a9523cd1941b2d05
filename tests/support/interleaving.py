"""Actors that share a database, interleaved statement by statement, and connections that break between any two.

An actor is a thread that waits for its turn before every statement; one runs at a time. A turn is over when the
statement is done, or when PostgreSQL says that it waits for a lock: the same turns give the same course of events.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import chain, count, repeat
from typing import Any

import psycopg2
from psycopg2.extensions import connection, cursor

# PostgreSQL is asked whether a statement waits for a lock when it takes longer than this.
LOOK_SECONDS = 0.004
DEADLINE_SECONDS = 60
# Which of those that can go on, and for how many statements, or until it is about to commit or pauses.
Turn = tuple[int, int]
UNTIL_COMMIT = 0

_here = threading.local()


class Kill(Enum):
    """How a connection breaks."""

    # The server ends the session before the statement.
    SESSION = 1
    # The program is gone before the statement, with all of its connections.
    PROGRAM = 2
    # The statement is carried out, its answer is lost.
    ANSWER = 3
    # The server ends the session while the statement waits for a lock, if it does.
    WAITING = 4


@dataclass(frozen=True)
class Fault:
    """A kill, and the number of the statement that it comes at, counted from 1."""

    statement: int
    kill: Kill


class Abandoned(BaseException):
    """The test is over."""


class Actor(threading.Thread):
    """A program at work; its connections are of the class `TurnConnection`."""

    def __init__(self, work: Callable[[], object], fault: Fault | None = None) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._fault = fault
        self._turn = threading.Semaphore(0)
        self._connections: set[TurnConnection] = set()
        # Set while it waits for its turn, and when it is over.
        self.has_arrived = threading.Event()
        self.is_over = False
        self.is_abandoned = False
        # The connection of its statement.
        self.connection: TurnConnection | None = None
        # About to commit, or to go on after a pause.
        self.is_at_stop = False
        self.statements = 0
        # Since they were looked at.
        self.commits = 0
        self.is_waiting = False
        # How many of its statements waited for a lock.
        self.waits = 0
        self.was_hit = False
        self.result: object = None
        self.error: BaseException | None = None

    def run(self) -> None:
        _here.actor = self
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001
            self.error = error
        self.is_over = True
        self.has_arrived.set()

    def take_turn(self) -> None:
        """Lets it go on with the statement that it waits with."""
        self.is_waiting = False
        self.has_arrived.clear()
        self._turn.release()

    def abandon(self) -> None:
        """Makes its next statement fail, whenever that is."""
        self.is_abandoned = True
        self._turn.release()

    def wait_for_turn(self) -> None:
        if not self.is_abandoned:
            self.has_arrived.set()
            self._turn.acquire()
        if self.is_abandoned:
            raise Abandoned

    def is_due(self, *kills: Kill) -> bool:
        """Whether its connection breaks at this statement, in one of these ways."""
        fault = self._fault
        return fault is not None and fault.statement == self.statements and fault.kill in kills

    def pause(self) -> None:
        """Waits for its turn without a statement."""
        self.is_at_stop = True
        self.wait_for_turn()

    def carry_out(self, on: "TurnConnection", statement: Callable[[], None], is_commit: bool) -> None:
        """Runs a statement when it is its turn, or breaks the connection."""
        self.connection, self.is_at_stop = on, is_commit
        self._connections.add(on)
        self.wait_for_turn()
        self.statements += 1
        if self.is_due(Kill.SESSION):
            self.end_session()
        elif self.is_due(Kill.PROGRAM):
            self.was_hit = True
            for each in self._connections:
                each.sever()
        statement()
        if self.is_due(Kill.ANSWER):
            self.was_hit = True
            on.sever()
            raise psycopg2.OperationalError("the answer was lost")

    def looks_like_waiting(self) -> bool:
        """Whether its statement waits for a lock; if it shall be killed when it does, it is."""
        was_waiting = self.is_waiting
        self.is_waiting = self.connection is not None and self.connection.waits_for_lock()
        self.waits += self.is_waiting and not was_waiting
        if self.is_waiting and self.is_due(Kill.WAITING) and not self.was_hit:
            self.end_session()
            self.is_waiting = False
        return self.is_waiting

    def end_session(self) -> None:
        """The server ends the session of its statement; returns when it is gone."""
        self.was_hit = True
        assert self.connection is not None
        self.connection.end_session()


class TurnCursor(cursor):
    """Its statements wait for the actor's turn."""

    def execute(self, query: Any, values: Any = None) -> None:
        _carry_out(self.connection, lambda: super(TurnCursor, self).execute(query, values))

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        _carry_out(self.connection, lambda: super(TurnCursor, self).copy_expert(sql, file, size))


class TurnConnection(connection):
    """A connection whose statements wait for the actor's turn; those of the test's own thread do not."""

    stage: "Stage"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = TurnCursor
        self.pid = self.info.backend_pid

    def commit(self) -> None:
        _carry_out(self, self._commit, is_commit=True)

    def rollback(self) -> None:
        _carry_out(self, super().rollback)

    def end_session(self) -> None:
        """The server ends the session; returns when it is gone."""
        self.stage.ask("SELECT pg_terminate_backend(%s, 10000)", self.pid)

    def sever(self) -> None:
        """Both sides find the connection closed, without a word of goodbye; returns when the session is gone."""
        if not self.closed:
            with socket.socket(fileno=os.dup(self.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)
            while self.stage.ask("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", self.pid):
                time.sleep(0.001)

    def waits_for_lock(self) -> bool:
        return bool(self.stage.ask("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", self.pid))

    def _commit(self) -> None:
        super().commit()
        if actor := getattr(_here, "actor", None):
            actor.commits += 1


class TurnClock:
    """A pause is a turn like a statement."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        _here.actor.pause()


class Stage:
    """Where actors take turns."""

    def __init__(self, superuser: connection) -> None:
        """`superuser` is a connection with autocommit."""
        self._superuser = superuser
        self._lock = threading.Lock()
        TurnConnection.stage = self

    def play(self, actors: Sequence[Actor], turns: Iterable[Turn], on_commit: Callable[[Actor], None]) -> None:
        """Runs actors to their ends, by these turns and then in rotation; nobody moves while a commit is looked at."""
        try:
            for actor in actors:
                actor.start()
                self._settle([actor])
            for which, length in chain(turns, zip(count(), repeat(5))):
                ready = self._ready(actors)
                if not ready:
                    break
                actor = ready[which % len(ready)]
                for _ in self._while_its_turn(actor, length):
                    actor.take_turn()
                    self._settle(actors)
                    if actor.commits:
                        actor.commits = 0
                        on_commit(actor)
        finally:
            self._end(actors)

    def ask(self, question: str, pid: int) -> object:
        """What PostgreSQL says, of a backend."""
        with self._lock, self._superuser.cursor() as asking:
            asking.execute(question, (pid,))
            return asking.fetchone()[0]

    def _ready(self, actors: Sequence[Actor]) -> list[Actor]:
        """Those who wait for their turn; waits while all who are not over wait for locks. Empty when all are over."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            alive = [actor for actor in actors if not actor.is_over]
            ready = [actor for actor in alive if actor.has_arrived.is_set()]
            if ready or not alive:
                return ready
            assert time.monotonic() < deadline, "all wait for locks"
            time.sleep(0.001)

    def _while_its_turn(self, actor: Actor, length: int) -> Iterator[None]:
        for number in count():
            is_at_end = number > 0 and actor.is_at_stop if length == UNTIL_COMMIT else number == length
            if is_at_end or actor.is_over or not actor.has_arrived.is_set():
                return
            yield

    def _settle(self, actors: Sequence[Actor]) -> None:
        """Returns when each actor waits for its turn or for a lock, or is over."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        for actor in actors:
            # One that was waiting is quickly asked again.
            while not actor.has_arrived.wait(0 if actor.is_waiting else LOOK_SECONDS):
                assert time.monotonic() < deadline, "a statement takes too long"
                if actor.looks_like_waiting():
                    break

    def _end(self, actors: Sequence[Actor]) -> None:
        for actor in actors:
            if actor.is_alive():
                actor.abandon()
                if actor.connection and not actor.has_arrived.is_set():
                    actor.connection.end_session()
        for actor in actors:
            if actor.ident:
                actor.join(DEADLINE_SECONDS)


def _carry_out(on: Any, statement: Callable[[], None], is_commit: bool = False) -> None:
    actor = getattr(_here, "actor", None)
    if actor:
        actor.carry_out(on, statement, is_commit)
    else:
        statement()
