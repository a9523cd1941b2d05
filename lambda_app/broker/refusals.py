"""Why kafka-python cannot connect: its errors say only that it could not, its log says more."""

import logging
import re
from collections.abc import Callable
from typing import Any

from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from lambda_app import settings
from lambda_app.core.certificates import with_remedy
from lambda_app.errors import AccessRefused, BrokerUnavailable, InvalidConfiguration, LambdaError
from lambda_app.settings import Settings

_FAILURE = re.compile(r"^(?:Bootstrap connection to|Bootstrap attempt to) \S+ failed: (.*) \(backoff .*\)$", re.DOTALL)
# The first four bytes of a TLS alert, which kafka-python takes for a length.
_TLS_ALERT = re.compile(r"Invalid frame length: 35251\d{4}$")
_CERTIFICATE_REFUSED = re.compile(r"certificate verify failed: ([^(]*)")


class Refusals(logging.Handler):
    """Listens to the client's log while it connects, and keeps the log to itself."""

    def __init__(self, config: Settings, user: str) -> None:
        super().__init__(logging.WARNING)
        self._config = config
        self._user = user
        self._reasons: list[str] = []

    def __enter__(self) -> "Refusals":
        self._logger = logging.getLogger("kafka.net")
        self._level = self._logger.level
        self._logger.setLevel(logging.WARNING)
        self._logger.addHandler(self)
        self._propagate, self._logger.propagate = self._logger.propagate, False
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)
        self._logger.propagate = self._propagate

    def emit(self, record: logging.LogRecord) -> None:
        failure = _FAILURE.match(record.getMessage())
        if failure:
            self._reasons.append(failure[1].removeprefix("KafkaConnectionError: "))

    def error(self) -> LambdaError:
        """What the client's failure to connect means; BrokerUnavailable when trying again can help."""
        for reason in self._reasons:
            if error := self._permanent(reason):
                return error
        reason = self._reasons[-1] if self._reasons else "no answer"
        return BrokerUnavailable(f"Kafka is away: no connection to {self._config.kafka_bootstrap_servers}: {reason}")

    def _permanent(self, reason: str) -> LambdaError | None:
        kafka = f"Kafka at {self._config.kafka_bootstrap_servers}"
        authorities = self._config.kafka_ca_file or "those the system trusts"
        if "SaslAuthenticationFailed" in reason:
            return AccessRefused(f"{kafka} refuses the user {self._user}: wrong user or password")
        if refused := _CERTIFICATE_REFUSED.search(reason):
            why = with_remedy(refused[1].strip(" ."))
            return InvalidConfiguration(f"{kafka} shows a certificate we refuse: {why} (authorities: {authorities})")
        if "X509" in reason:
            return InvalidConfiguration(f"{authorities} holds no certificate of an authority")
        if _TLS_ALERT.search(reason):
            return InvalidConfiguration(f"{kafka} speaks TLS: the security protocol must be SASL_SSL")
        if "IllegalSaslState" in reason:
            return InvalidConfiguration(f"{kafka} asks for no password: the security protocol must be PLAINTEXT")
        if "UnsupportedSaslMechanism" in reason:
            return InvalidConfiguration(f"{kafka} does not know {settings.KAFKA_SASL_MECHANISM}")
        return None


def _hear_last_words(transport: Any) -> None:
    """kafka-python 3.0.12 drops what comes along with the end of a connection, such as the reason for it."""
    receive: Callable[[Any], tuple[bytes, Exception | None]] = transport._sock_recv

    def receive_before_the_end(self: Any) -> tuple[bytes, Exception | None]:
        data, error = receive(self)
        # The next call reports the end of the connection again, without data.
        return data, None if data else error

    transport._sock_recv = receive_before_the_end


_hear_last_words(KafkaTCPTransport)
_hear_last_words(KafkaSSLTransport)
