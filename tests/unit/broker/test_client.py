"""How a program shows Kafka who it is."""

from pathlib import Path

import pytest

from lambda_app.broker.client import _security
from lambda_app.errors import InvalidConfiguration
from lambda_app.settings import Settings


def test_kafka_user_is_authenticated_exactly_when_its_credential_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert _security(Settings(), "lambda-consumer") == {"security_protocol": "PLAINTEXT"}
    with pytest.raises(InvalidConfiguration, match="kafka-consumer"):
        _security(Settings(kafka_security_protocol="SASL_PLAINTEXT"), "lambda-consumer")

    (tmp_path / "kafka-consumer").write_text("secret\n", encoding="utf-8")
    assert _security(Settings(), "lambda-consumer") == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "lambda-consumer",
        "sasl_plain_password": "secret",
    }
    assert _security(Settings(kafka_security_protocol="PLAINTEXT"), "lambda-consumer") == {
        "security_protocol": "PLAINTEXT"
    }
