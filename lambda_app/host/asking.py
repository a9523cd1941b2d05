"""Questions to many at once, of which none can hold up the others: each is asked by a thread, for a limited time."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from threading import Thread
from typing import Generic, TypeVar

from lambda_app.errors import LambdaError

T = TypeVar("T")
# A scrape of a node exporter has a tenth of this.
ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
# Hosts of the platform are asked without the proxy of the environment.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoAnswer(LambdaError):
    """It did not answer."""


class Asked(Generic[T]):
    """Questions under way, each to somebody with a name.

    A thread that never gets its answer does not keep the process from ending.
    """

    def __init__(self, questions: Mapping[str, Callable[[], T]]) -> None:
        self._futures = {name: _begin(question) for name, question in questions.items()}

    def answers(self, seconds: float) -> dict[str, T | LambdaError]:
        """The answer or the error of each, NoAnswer for what takes longer than this."""
        wait(self._futures.values(), max(0.0, seconds))
        return {name: self._answer(future) for name, future in self._futures.items()}

    def _answer(self, future: "Future[T]") -> T | LambdaError:
        if not future.done():
            return NoAnswer("no answer in time")
        error = future.exception()
        return error if isinstance(error, LambdaError) else future.result()


def _begin(question: Callable[[], T]) -> "Future[T]":
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(question())
        except BaseException as error:  # noqa: BLE001 - raised again, or given back, where the answer is taken
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def get(endpoint: str, path: str, seconds: float) -> bytes:
    """The body of an answer over HTTP, from HOST:PORT; raises NoAnswer, which says why."""
    try:
        with _OPENER.open(f"http://{endpoint}{path}", timeout=seconds) as answer:
            body = answer.read(ANSWER_LIMIT_BYTES)
    except urllib.error.HTTPError as error:
        error.close()
        raise NoAnswer(f"{endpoint} answers {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            raise NoAnswer(f"{endpoint} does not answer within {seconds:g} s") from error
        detail = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        raise NoAnswer(f"{endpoint} does not answer: {detail}") from error
    return bytes(body)
