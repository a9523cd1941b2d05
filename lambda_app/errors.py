"""Every error class of the package.

Two kinds: a `RetryableError` goes away by itself (a peer is down), all others need a person. `cli.py` turns an error
into a message and an exit status, `stream/supervisor.py` does so for its worker processes; the docstring is the message
when none is given.
"""

# Exit statuses of sysexits.h, which systemd shows by name. Numbers: core imports this module, and nothing of os.
_EX_DATAERR = 65
_EX_TEMPFAIL = 75
_EX_NOPERM = 77
_EX_CONFIG = 78


class LambdaError(Exception):
    """The program failed."""

    exit_status = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class RetryableError(LambdaError):
    """A peer is away for now."""

    exit_status = _EX_TEMPFAIL


class DatabaseUnavailable(RetryableError):
    """PostgreSQL is away."""


class BrokerUnavailable(RetryableError):
    """Kafka is away."""


class AccessRefused(LambdaError):
    """The other side refuses this user, or lacks what it needs."""

    exit_status = _EX_NOPERM


class TopicMissing(AccessRefused):
    """Kafka has no such topic, or does not show it to this user."""


class InvalidConfiguration(LambdaError):
    """The configuration makes no sense."""

    exit_status = _EX_CONFIG


class InvalidMessage(LambdaError):
    """The message is not valid."""

    exit_status = _EX_DATAERR


class InvalidFile(LambdaError):
    """The file cannot be read as a table of transactions."""

    exit_status = _EX_DATAERR


class PartitionLost(LambdaError):
    """Another consumer has moved this partition's offset: what we hold of it is void."""


class PositionVoid(LambdaError):
    """The broker no longer has what we want to read next: positions must be worked out again."""


class RecordRefused(LambdaError):
    """Kafka does not take this record, whatever the others."""
