"""Kafka's controller, set by the role: it knows the broker by its certificate, and gives other hosts no rights."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Certificates, make_certificates
from tests.support.kafka_server import KAFKA_LIBS, KafkaServer
from tests.support.processes import REPOSITORY

TEMPLATE = REPOSITORY.joinpath("roles/kafka/templates/server.properties.j2").read_text(encoding="utf-8")
OF_THE_ROLE = re.findall(r"^((?:listener\.name\.controller\.)?ssl\.[\w.]+)=([^{\n]*)$", TEMPLATE, re.MULTILINE)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"), unit="kafka")


def protocols(controller: str) -> dict[str, object]:
    clients = "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL"
    return {
        "listener.security.protocol.map": f"{clients},CONTROLLER:{controller}",
        "super.users": "User:ANONYMOUS;User:broker",
    }


def with_certificates(certificates: Certificates) -> dict[str, object]:
    """The settings of a controller that speaks TLS."""
    return {
        **dict(OF_THE_ROLE),
        "ssl.keystore.location": certificates.together(),
        "ssl.truststore.location": certificates.authority,
        **protocols("SSL"),
    }


def with_password() -> dict[str, object]:
    """Those of one that does not."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return {
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": (
            f'{module} required username="broker" password="word" user_broker="word";'
        ),
        "sasl.mechanism.controller.protocol": "PLAIN",
        **protocols("SASL_PLAINTEXT"),
    }


@pytest.fixture(scope="module")
def broker(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    settings = with_certificates(certificates)
    server = KafkaServer(tmp_path_factory.mktemp("kafka"), settings=settings, certificates=certificates)
    # It answers when the broker has come through to the controller.
    server.create()
    yield server
    server.stop()


def describe_quorum(server: KafkaServer, directory: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Asks the controller as a client with these settings."""
    settings = directory / "client.properties"
    wait = ["default.api.timeout.ms=15000", "request.timeout.ms=10000"]
    settings.write_text("\n".join([*lines, *wait]), encoding="utf-8")
    java = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{KAFKA_LIBS}/*"]
    tool = ["org.apache.kafka.tools.MetadataQuorumCommand", "--bootstrap-controller", server.controller]
    options = ["--command-config", str(settings), "describe", "--status"]
    return subprocess.run([*java, *tool, *options], capture_output=True, text=True, check=False, timeout=60)


def as_host(certificates: Certificates) -> list[str]:
    return [
        "security.protocol=SSL",
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={certificates.together()}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={certificates.authority}",
    ]


def test_settings_of_the_role_are_found() -> None:
    assert {"listener.name.controller.ssl.client.auth", "ssl.principal.mapping.rules"} <= set(dict(OF_THE_ROLE))


def test_controller_takes_a_host_of_kafka_for_the_broker(
    broker: KafkaServer, certificates: Certificates, tmp_path: Path
) -> None:
    answer = describe_quorum(broker, tmp_path, *as_host(certificates))

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "LeaderId" in answer.stdout


def test_controller_gives_another_host_of_the_platform_no_rights(
    broker: KafkaServer, certificates: Certificates, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path, unit="host", signed_by=certificates)

    answer = describe_quorum(broker, tmp_path, *as_host(other))

    assert answer.returncode != 0
    assert "ClusterAuthorizationException" in answer.stdout + answer.stderr


def test_controller_takes_nobody_without_a_certificate_of_its_authority(
    broker: KafkaServer, certificates: Certificates, tmp_path: Path
) -> None:
    stranger = make_certificates(tmp_path, unit="kafka")
    trusting = [line for line in as_host(stranger) if "truststore.location" not in line]

    answer = describe_quorum(broker, tmp_path, *trusting, f"ssl.truststore.location={certificates.authority}")

    assert answer.returncode != 0
    assert "LeaderId" not in answer.stdout


def test_broker_with_data_begins_and_ceases_to_speak_tls_by_a_restart(
    certificates: Certificates, tmp_path: Path
) -> None:
    server = KafkaServer(tmp_path, settings=with_password(), certificates=certificates)
    server.create()
    server.create_topic("kept")
    server.produce("kept", [b"value"] * 8)

    for settings in (with_certificates(certificates), with_password()):
        server.stop()
        server.configure(settings)
        server.start()
        assert sum(server.log_ends("kept").values()) == 8

    server.stop()
