"""Questions to many at once, of which none can hold up the others: each is asked by a thread, for a limited time."""

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from threading import Thread
from typing import Generic, TypeVar

from lambda_app.core.certificates import with_remedy
from lambda_app.errors import LambdaError
from lambda_app.host.environment import authorities_path

T = TypeVar("T")
# A scrape of a node exporter has a tenth of this.
ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
# Hosts of the platform are asked without the proxy of the environment.
_NO_PROXY = urllib.request.ProxyHandler({})
_OPENER = urllib.request.build_opener(_NO_PROXY)


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
    """The body of an answer over HTTP, from HOST:PORT or https://HOST:PORT; raises NoAnswer, which says why.

    Who speaks TLS must show a certificate of the platform's authorities.
    """
    try:
        opener, url = (_trusting(), endpoint) if endpoint.startswith("https://") else (_OPENER, f"http://{endpoint}")
        with opener.open(f"{url}{path}", timeout=seconds) as answer:
            body = answer.read(ANSWER_LIMIT_BYTES)
    except urllib.error.HTTPError as error:
        error.close()
        raise NoAnswer(f"{endpoint} answers {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            raise NoAnswer(f"{endpoint} does not answer within {seconds:g} s") from error
        detail = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        if isinstance(reason, ssl.SSLCertVerificationError):
            detail = with_remedy(reason.verify_message.rstrip("."))
        raise NoAnswer(f"{endpoint} does not answer: {detail}") from error
    return bytes(body)


def _trusting() -> urllib.request.OpenerDirector:
    # Read each time: an authority may be replaced while a program goes on.
    context = ssl.create_default_context(cafile=str(authorities_path()))
    return urllib.request.build_opener(_NO_PROXY, urllib.request.HTTPSHandler(context=context))
