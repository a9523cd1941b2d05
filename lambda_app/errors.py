"""Every error class of the package.

Two kinds: a `RetryableError` goes away by itself (a peer is down), all others need a person. `cli.py` alone turns an
error into a message and an exit status; the docstring is the message when none is given.
"""

import os


class LambdaError(Exception):
    """The program failed."""

    exit_status = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class RetryableError(LambdaError):
    """A peer is away for now."""

    exit_status = os.EX_TEMPFAIL


class DatabaseUnavailable(RetryableError):
    """PostgreSQL is away."""


class BrokerUnavailable(RetryableError):
    """Kafka is away."""


class AccessRefused(LambdaError):
    """The other side refuses this user, or lacks what it needs."""

    exit_status = os.EX_NOPERM


class InvalidConfiguration(LambdaError):
    """The configuration makes no sense."""

    exit_status = os.EX_CONFIG


class InvalidMessage(LambdaError):
    """The message is not valid."""

    exit_status = os.EX_DATAERR


class InvalidFile(LambdaError):
    """The file cannot be read as a table of transactions."""

    exit_status = os.EX_DATAERR


class PartitionLost(LambdaError):
    """Another consumer has moved this partition's offset: what we hold of it is void."""


class PositionVoid(LambdaError):
    """The broker no longer has what we want to read next: positions must be worked out again."""


class RecordRefused(LambdaError):
    """Kafka does not take this record, whatever the others."""
