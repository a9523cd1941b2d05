"""What no waiting can mend: one line that names what was refused and where, the right exit status, no secret."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType

from tests.support.certificates import Certificates, make_certificates
from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import Database
from tests.support.http_server import answering
from tests.support.kafka_server import KafkaServer
from tests.support.postgres_server import PostgresServer
from tests.support.processes import free_port, wait_until
from tests.support.program import Program

PROGRAMS = ["consume", "produce"]
ACCESS, CONFIGURATION = os.EX_NOPERM, os.EX_CONFIG


@dataclass
class Setting:
    """Programs that may do all they need, until a test takes something from them."""

    database: Database
    kafka: KafkaServer
    topic: str
    credentials: Path

    def environment(self, changes: Mapping[str, str]) -> dict[str, str]:
        return {
            **self.database.environment,
            "CREDENTIALS_DIRECTORY": str(self.credentials),
            "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": self.kafka.tls_bootstrap_servers,
            "LAMBDA_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "LAMBDA_KAFKA_CA_FILE": str(self.kafka.authority),
            "LAMBDA_KAFKA_TOPIC": self.topic,
            "LAMBDA_KAFKA_GROUP": f"group-of-{self.topic}",
            **changes,
        }

    def allow(self, user: str, operation: ACLOperation) -> None:
        self.kafka.allow(user, operation, ResourceType.TOPIC, self.topic)

    def set_password(self, name: str, text: str) -> None:
        path = self.credentials / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)

    def start(self, program: str, changes: Mapping[str, str] | None = None) -> Program:
        return Program(self.environment(changes or {}), program)

    def assert_refuses(self, program: str, line: str, status: int, changes: Mapping[str, str] | None = None) -> None:
        """Runs a program to its end, which comes at once, with this line."""
        with self.start(program, changes) as process:
            assert process.process.wait(60) == status, process.text
            lines = process.text.splitlines()
            assert [each for each in lines if " ERROR " in each or " WARNING " in each] == lines[-1:], process.text
            assert line in lines[-1]
            assert "Traceback" not in process.text
            assert self.kafka.password not in process.text
            assert self.database.server.password not in process.text
            # The producer cannot know before it writes that it may not.
            assert program == "produce" or "READY=1" not in process.notifications


@pytest.fixture
def setting(database: Database, kafka: KafkaServer, topic: str, tmp_path: Path) -> Setting:
    for passfile in database.server.credentials.iterdir():
        shutil.copy2(passfile, tmp_path)
    made = Setting(database, kafka, topic, tmp_path)
    for user in ("consumer", "producer"):
        made.set_password(f"kafka-{user}", kafka.password)
    return made


def allow_all(setting: Setting) -> None:
    setting.allow("lambda-consumer", ACLOperation.READ)
    setting.allow("lambda-producer", ACLOperation.WRITE)
    group = f"group-of-{setting.topic}"
    setting.kafka.allow("lambda-consumer", ACLOperation.READ, ResourceType.GROUP, group)


def test_programs_work_over_tls_with_no_rights_but_their_own(setting: Setting) -> None:
    allow_all(setting)

    with setting.start("consume") as consumer, setting.start("produce") as producer:
        consumer.wait_until_ready()
        producer.wait_until_ready()
        wait_until(lambda: setting.database.count("transactions") > 100, what="transactions over TLS")

        assert producer.terminate() == 0
        assert consumer.terminate() == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_wrong_password_of_kafka_is_said(setting: Setting, program: str) -> None:
    user = {"consume": "consumer", "produce": "producer"}[program]
    setting.set_password(f"kafka-{user}", "wrong")

    for changes in (
        {},
        {
            "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": setting.kafka.sasl_bootstrap_servers,
            "LAMBDA_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        },
    ):
        server = setting.environment(changes)["LAMBDA_KAFKA_BOOTSTRAP_SERVERS"]
        line = f"Kafka at {server} refuses the user lambda-{user}: wrong user or password"
        setting.assert_refuses(program, line, ACCESS, changes)


@pytest.mark.parametrize("program", PROGRAMS)
def test_topic_that_is_not_there_or_not_for_us_is_said(setting: Setting, program: str) -> None:
    line = {
        "consume": f"Kafka has no topic {setting.topic}, or does not show it to this user",
        "produce": f"Kafka at {setting.kafka.tls_bootstrap_servers} refuses this user the topic {setting.topic}",
    }
    setting.assert_refuses(program, line[program], ACCESS)

    changes = {
        "LAMBDA_KAFKA_TOPIC": "nowhere",
        "LAMBDA_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
        "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": setting.kafka.bootstrap_servers,
    }
    setting.assert_refuses(program, "Kafka has no topic nowhere", ACCESS, changes)


@pytest.mark.parametrize("program", PROGRAMS)
def test_topic_that_we_may_see_and_not_use_is_said(setting: Setting, program: str) -> None:
    for user in ("lambda-consumer", "lambda-producer"):
        setting.allow(user, ACLOperation.DESCRIBE)
    group = f"group-of-{setting.topic}"
    setting.kafka.allow("lambda-consumer", ACLOperation.READ, ResourceType.GROUP, group)
    line = f"Kafka at {setting.kafka.tls_bootstrap_servers} refuses this user the topic {setting.topic}"

    setting.assert_refuses(program, line, ACCESS)


def test_group_that_is_not_for_us_is_said(setting: Setting) -> None:
    setting.allow("lambda-consumer", ACLOperation.READ)
    group = f"group-of-{setting.topic}"
    line = f"Kafka at {setting.kafka.tls_bootstrap_servers} refuses this user the consumer group {group}"

    setting.assert_refuses("consume", line, ACCESS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_certificate_of_kafka_that_we_do_not_trust_is_said(setting: Setting, program: str, tmp_path: Path) -> None:
    authority = str(make_certificates(tmp_path / "other").authority)
    line = f"Kafka at {setting.kafka.tls_bootstrap_servers} shows a certificate we refuse: unable to get local"
    line += " issuer certificate; it is of another authority than those that this host trusts"
    setting.assert_refuses(program, line, CONFIGURATION, {"LAMBDA_KAFKA_CA_FILE": authority})

    server = setting.kafka.tls_bootstrap_servers.replace("127.0.0.1", "localhost")
    line = f"Kafka at {server} shows a certificate we refuse: Hostname mismatch"
    setting.assert_refuses(program, line, CONFIGURATION, {"LAMBDA_KAFKA_BOOTSTRAP_SERVERS": server})


@pytest.mark.parametrize("program", PROGRAMS)
def test_certificate_of_kafka_that_has_expired_is_said(setting: Setting, program: str, tmp_path: Path) -> None:
    expired = make_certificates(tmp_path / "expired", days=-1)
    server = f"127.0.0.1:{free_port()}"
    changes = {"LAMBDA_KAFKA_BOOTSTRAP_SERVERS": server, "LAMBDA_KAFKA_CA_FILE": str(expired.authority)}
    line = f"Kafka at {server} shows a certificate we refuse: certificate has expired; renew it"

    # It gets no further than the handshake, so any server will do.
    with answering("127.0.0.1", int(server.split(":")[1]), lambda _: None, expired.together()):
        setting.assert_refuses(program, line, CONFIGURATION, changes)


@pytest.mark.parametrize("program", PROGRAMS)
def test_file_of_authorities_that_holds_none_is_said(setting: Setting, program: str, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()

    changes = {"LAMBDA_KAFKA_CA_FILE": str(path)}
    setting.assert_refuses(program, f"{path} holds no certificate of an authority", CONFIGURATION, changes)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_listener_that_speaks_tls_is_recognised(setting: Setting, program: str, protocol: str) -> None:
    line = f"Kafka at {setting.kafka.tls_bootstrap_servers} speaks TLS: the security protocol must be SASL_SSL"

    setting.assert_refuses(program, line, CONFIGURATION, {"LAMBDA_KAFKA_SECURITY_PROTOCOL": protocol})


@pytest.mark.parametrize("program", PROGRAMS)
def test_listener_that_asks_for_no_password_is_recognised(setting: Setting, program: str) -> None:
    server = setting.kafka.bootstrap_servers
    changes = {"LAMBDA_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "LAMBDA_KAFKA_BOOTSTRAP_SERVERS": server}
    line = f"Kafka at {server} asks for no password: the security protocol must be PLAINTEXT"

    setting.assert_refuses(program, line, CONFIGURATION, changes)


@pytest.fixture
def certificates(postgres: PostgresServer, tmp_path: Path) -> Iterator[Certificates]:
    """PostgreSQL speaks TLS, with a certificate of this authority; it stands in one file with its key, as on a host."""
    made = make_certificates(tmp_path)
    shutil.copy(made.together(), postgres.directory / "data/server.crt")
    shutil.copy(made.together(), postgres.directory / "data/server.key")
    for name in ("server.crt", "server.key"):
        shutil.chown(postgres.directory / "data" / name, "postgres")
        (postgres.directory / "data" / name).chmod(0o600)
    set_tls(postgres, "on")
    yield made
    set_tls(postgres, "off")


def set_tls(postgres: PostgresServer, state: str) -> None:
    postgres.execute(f"ALTER SYSTEM SET ssl = {state}")
    postgres.execute("SELECT pg_reload_conf()")
    wait_until(lambda: postgres.execute("SHOW ssl") == [(state,)], what="the setting ssl")


def service_file(setting: Setting, **changes: str) -> dict[str, str]:
    """Environment in which lambda-stream connects with these options."""
    options = {
        "host": "127.0.0.1",
        "port": str(setting.database.server.port),
        "dbname": setting.database.name,
        "user": "lambda_stream",
    } | changes
    path = setting.credentials / "service"
    path.write_text("[lambda-stream]\n" + "".join(f"{k}={v}\n" for k, v in options.items()), encoding="utf-8")
    return {"PGSERVICEFILE": str(path)}


def test_wrong_password_of_postgres_is_said(setting: Setting) -> None:
    setting.set_password("pgpass-stream", "*:*:*:*:wrong\n")
    line = 'PostgreSQL refuses: connection to server at "127.0.0.1", port'

    setting.assert_refuses("consume", line, ACCESS)


def test_database_that_is_not_there_is_said(setting: Setting) -> None:
    line = 'database "nowhere" does not exist'

    setting.assert_refuses("consume", line, ACCESS, service_file(setting, dbname="nowhere"))


def test_schema_that_is_not_there_is_said(empty_database: Database, kafka: KafkaServer, topic: str) -> None:
    with ConsumerProcess(empty_database.environment, kafka.bootstrap_servers, topic) as process:
        assert process.process.wait(60) == ACCESS
        assert process.text.count("PostgreSQL lacks the schema") == 1
        assert "run lambda-app db migrate" in process.text
        assert "Traceback" not in process.text


def test_consumer_works_when_postgres_shows_a_certificate_we_trust(
    setting: Setting, certificates: Certificates
) -> None:
    allow_all(setting)
    changes = service_file(setting, sslmode="verify-full", sslrootcert=str(certificates.authority))

    with setting.start("consume", changes) as process:
        process.wait_until_ready()
        assert process.terminate() == 0


def test_certificate_of_postgres_that_we_do_not_trust_is_said(
    setting: Setting, certificates: Certificates, tmp_path: Path
) -> None:
    other = str(make_certificates(tmp_path / "other").authority)
    for mode in ("verify-ca", "verify-full"):
        changes = service_file(setting, sslmode=mode, sslrootcert=other)
        line = "certificate verify failed; it has expired, or is of another authority"
        setting.assert_refuses("consume", line, CONFIGURATION, changes)

    changes = service_file(setting, sslmode="verify-full", sslrootcert="/nowhere.pem")
    setting.assert_refuses("consume", 'root certificate file "/nowhere.pem" does not exist', CONFIGURATION, changes)

    options = {"host": "localhost", "hostaddr": "127.0.0.1"}
    changes = service_file(setting, sslmode="verify-full", sslrootcert=str(certificates.authority), **options)
    setting.assert_refuses("consume", 'does not match host name "localhost"', CONFIGURATION, changes)


def test_postgres_without_the_tls_that_we_require_is_said(setting: Setting) -> None:
    changes = service_file(setting, sslmode="require")

    setting.assert_refuses("consume", "server does not support SSL, but SSL was required", CONFIGURATION, changes)
