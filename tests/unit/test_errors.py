"""What an error says, and the exit status that it ends a program with."""

import os

from lambda_app.errors import AccessRefused, DatabaseUnavailable, LambdaError


def test_error_without_words_says_its_docstring() -> None:
    assert str(DatabaseUnavailable()) == "PostgreSQL is away."
    assert str(LambdaError("this")) == "this"
    assert (AccessRefused.exit_status, DatabaseUnavailable.exit_status) == (os.EX_NOPERM, os.EX_TEMPFAIL)
