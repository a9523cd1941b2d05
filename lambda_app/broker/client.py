"""Clients of kafka-python with the right user, and its errors in the package's own classes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from lambda_app import settings
from lambda_app.broker.refusals import Refusals
from lambda_app.errors import AccessRefused, BrokerUnavailable, InvalidConfiguration, PositionVoid, RecordRefused
from lambda_app.host.environment import credential_path
from lambda_app.settings import Settings

PRODUCER = "lambda-producer"
CONSUMER = "lambda-consumer"

BOOTSTRAP_TIMEOUT_MS = 10_000
REQUEST_TIMEOUT_MS = 15_000
# How long a connected client may take to learn the partitions of a topic.
METADATA_TIMEOUT_MS = 5_000
# A recreated topic normally shows at once as a broker error. Refreshing the metadata every 30 s is the fallback.
METADATA_AGE_MS = 30_000


@contextmanager
def translated_errors(config: Settings) -> Iterator[None]:
    """Turns kafka-python's errors into the package's own."""
    try:
        yield
    except (kafka_errors.OffsetOutOfRangeError, kafka_errors.LogTruncationError) as error:
        raise PositionVoid(str(error)) from error
    except (kafka_errors.MessageSizeTooLargeError, kafka_errors.InvalidRecordError) as error:
        raise RecordRefused(f"Kafka refuses the record: {error}") from error
    except kafka_errors.SaslAuthenticationFailedError as error:
        raise AccessRefused(f"Kafka at {config.kafka_bootstrap_servers} refuses the user or password") from error
    except kafka_errors.FencedInstanceIdError as error:
        raise AccessRefused(
            "another consumer of this name has joined the group:"
            " only one can run on a host, and no two hosts have one name"
        ) from error
    except kafka_errors.TopicAuthorizationFailedError as error:
        raise AccessRefused(
            f"Kafka at {config.kafka_bootstrap_servers} refuses this user the topic {config.kafka_topic}"
        ) from error
    except kafka_errors.GroupAuthorizationFailedError as error:
        raise AccessRefused(
            f"Kafka at {config.kafka_bootstrap_servers} refuses this user the consumer group {config.kafka_group}"
        ) from error
    except kafka_errors.AuthorizationError as error:
        raise AccessRefused(f"Kafka at {config.kafka_bootstrap_servers} refuses: {error}") from error
    except kafka_errors.KafkaConfigurationError as error:
        raise InvalidConfiguration(f"Kafka client: {error}") from error
    except kafka_errors.KafkaError as error:
        raise BrokerUnavailable(f"Kafka is away: {error}") from error


def open_client(client: type, config: Settings, user: str, options: Mapping[str, object]) -> Any:
    """A connected client of kafka-python, with the rights of this user."""
    bootstrap = {
        "bootstrap_servers": config.kafka_bootstrap_servers.split(","),
        "client_id": user,
        "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "reconnect_backoff_max_ms": 2000,
        "metadata_max_age_ms": METADATA_AGE_MS,
        "metrics_enabled": False,
        "allow_auto_create_topics": False,
    }
    if client is KafkaProducer:
        del bootstrap["allow_auto_create_topics"]
    arguments: dict[str, Any] = bootstrap | _security(config, user) | dict(options)
    timeout_ms = arguments.pop("bootstrap_timeout_ms")
    with Refusals(config, user) as refusals, translated_errors(config):
        # A refusal comes soon, so a fifth of the time is enough to see one; the rest is for a broker that is away.
        for share_ms in (timeout_ms // 5, timeout_ms - timeout_ms // 5):
            try:
                return client(bootstrap_timeout_ms=share_ms, **arguments)
            except kafka_errors.KafkaTimeoutError as error:
                failure, meaning = error, refusals.error()
            if not isinstance(meaning, BrokerUnavailable):
                break
        raise meaning from failure


def _security(config: Settings, user: str) -> dict[str, object]:
    path = credential_path("kafka-" + user.removeprefix("lambda-"))
    protocol = config.kafka_security_protocol or ("SASL_PLAINTEXT" if path else "PLAINTEXT")
    if protocol == "PLAINTEXT":
        return {"security_protocol": protocol}
    tls: dict[str, object] = {"ssl_cafile": config.kafka_ca_file} if protocol == "SASL_SSL" else {}
    if path is None:
        raise InvalidConfiguration(f"{protocol} needs the credential kafka-{user.removeprefix('lambda-')}")
    return tls | {
        "security_protocol": protocol,
        "sasl_mechanism": settings.KAFKA_SASL_MECHANISM,
        "sasl_plain_username": user,
        "sasl_plain_password": path.read_text(encoding="utf-8").strip(),
    }
