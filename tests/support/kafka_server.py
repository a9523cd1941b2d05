"""A real Kafka on random loopback ports, gone with the test process."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    ConfigResourceType,
    NewTopic,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import KafkaError

from tests.support.certificates import Certificates, make_certificates
from tests.support.processes import REPOSITORY, end_with_parent, free_port, wait_until

KAFKA_LIBS = REPOSITORY / ".cache/kafka/libs"
SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"
QUICK_START = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class KafkaServer:
    """One broker: on one listener anyone may do anything, on two others who is known and allowed."""

    def __init__(
        self,
        directory: Path,
        java_options: Sequence[str] = QUICK_START,
        settings: Mapping[str, object] = MappingProxyType({}),
        certificates: Certificates | None = None,
    ) -> None:
        """`settings` go over those that make tests quick. Without certificates it makes its own."""
        self.directory = directory
        self._java_options = java_options
        self._settings = settings
        self._certificates = certificates
        self.port = free_port()
        self._sasl_port = free_port()
        self._tls_port = free_port()
        self._controller_port = free_port()
        self.password = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the broker."""
        assert self._process, "Kafka was stopped"
        return self._process.pid

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def environment(self, topic: str) -> dict[str, str]:
        """Variables for a program that shall use this topic, without a password."""
        return {"LAMBDA_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers, "LAMBDA_KAFKA_TOPIC": topic}

    @property
    def sasl_bootstrap_servers(self) -> str:
        """Where SCRAM users log in, and have the rights that were granted."""
        return f"127.0.0.1:{self._sasl_port}"

    @property
    def tls_bootstrap_servers(self) -> str:
        """The same, over TLS; its certificate is signed by `authority`."""
        return f"127.0.0.1:{self._tls_port}"

    @property
    def controller(self) -> str:
        return f"127.0.0.1:{self._controller_port}"

    @property
    def authority(self) -> Path:
        return self.directory / "authority.pem"

    def create(self) -> None:
        assert KAFKA_LIBS.is_dir(), f"no {KAFKA_LIBS}: run roles/kafka/files/download-jars {KAFKA_LIBS}"
        self.configure(self._settings)
        cluster_id = self._java("kafka.tools.StorageTool", "random-uuid").strip().splitlines()[-1]
        users = [
            f"--add-scram=SCRAM-SHA-512=[name={user},password={self.password}]"
            for user in ("lambda-consumer", "lambda-producer")
        ]
        format_storage = ("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._config))
        self._java(*format_storage, "--standalone", *users)
        self.start()

    def configure(self, settings: Mapping[str, object]) -> None:
        """Writes other settings over those that make tests quick, for the next start."""
        certificates = self._certificates or make_certificates(self.directory)
        identity = self.directory / "identity.pem"
        identity.write_text(certificates.key.read_text() + certificates.certificate.read_text(), encoding="utf-8")
        clients = (
            f"PLAINTEXT://{self.bootstrap_servers},SASL_PLAINTEXT://{self.sasl_bootstrap_servers}"
            f",SASL_SSL://{self.tls_bootstrap_servers}"
        )
        all_settings: Mapping[str, object] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": self.controller,
            "listeners": f"{clients},CONTROLLER://{self.controller}",
            "advertised.listeners": clients,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT"
            ),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config": f"{SCRAM_MODULE} required;",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{SCRAM_MODULE} required;",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": identity,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "log.dirs": self.directory / "data",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            # As the role has it: a broker that was killed comes back after so long.
            "broker.session.timeout.ms": 4000,
            "log.retention.check.interval.ms": 500,
            # Half a minute after the start, records that a test gave an old time would begin to vanish.
            "log.retention.ms": -1,
            **settings,
        }
        text = "".join(f"{key}={value}\n" for key, value in all_settings.items())
        self._config.write_text(text, encoding="utf-8")

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java_command(*self._java_options), "kafka.Kafka", str(self._config)],
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
                start_new_session=True,
            )
        wait_until(self._answers, 60, "Kafka to answer")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    @contextlib.contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, bootstrap_timeout_ms=10_000)
        try:
            yield client
        finally:
            client.close()

    def create_topic(self, name: str, partitions: int = 4) -> None:
        with self.admin() as admin:
            admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])

    def allow(self, user: str, operation: ACLOperation, kind: ResourceType, name: str) -> None:
        rule = ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
        with self.admin() as admin:
            admin.create_acls([rule])

    def configure_topic(self, name: str, settings: Mapping[str, str]) -> None:
        with self.admin() as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, settings)])

    def delete_topic(self, name: str) -> None:
        with self.admin() as admin:
            admin.delete_topics([name])

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        with self.admin() as admin:
            admin.delete_records({TopicPartition(topic, partition): before_offset})

    def log_ends(self, topic: str) -> dict[int, int]:
        """The offset behind the last record of each partition."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap_servers)
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
            return {tp.partition: offset for tp, offset in consumer.end_offsets(partitions).items()}
        finally:
            consumer.close()

    def codecs(self, topic: str) -> set[str]:
        """How the batches of a topic are compressed on disk."""
        names = ("none", "gzip", "snappy", "lz4", "zstd")
        return {
            names[data[place + 22] & 7]
            for log in (self.directory / "data").glob(f"{topic}-[0-9]/*.log")
            for data in [log.read_bytes()]
            for place, _, _ in _batches(data)
        }

    def are_numbered(self, topic: str) -> bool:
        """Whether every batch of a topic comes from a producer that the broker knows by a number."""
        return all(
            struct.unpack_from(">q", data, place + 43)[0] >= 0
            for log in (self.directory / "data").glob(f"{topic}-[0-9]/*.log")
            for data in [log.read_bytes()]
            for place, _, _ in _batches(data)
        )

    def lose_tail(self, topic: str, partition: int, offset: int) -> int:
        """Cuts a log as a power cut does, behind the last batch that ends at or before the offset; returns its new end.

        For a server that was stopped by SIGKILL.
        """
        directory = self.directory / "data" / f"{topic}-{partition}"
        log = directory / f"{0:020}.log"
        data = log.read_bytes()
        place, end = 0, 0
        for start, length, next_offset in _batches(data):
            if next_offset > offset:
                break
            place, end = start + length, next_offset
        os.truncate(log, place)
        # Kafka creates these again from the log.
        for path in directory.iterdir():
            if path.suffix in (".index", ".timeindex", ".snapshot"):
                path.unlink()
        return end

    def produce(
        self, topic: str, values: Sequence[bytes | None], partition: int | None = None, key: bytes | None = b"A1"
    ) -> None:
        """Sends raw values; returns when the broker has all of them."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap_servers, acks="all", linger_ms=5)
        try:
            futures = [
                producer.send(topic, value, key=key, partition=index % 4 if partition is None else partition)
                for index, value in enumerate(values)
            ]
            for future in futures:
                future.get(30)
        finally:
            producer.close()

    @property
    def _config(self) -> Path:
        return self.directory / "server.properties"

    def _java_command(self, *options: str) -> list[str]:
        return ["java", *options, "-cp", f"{KAFKA_LIBS}/*"]

    def _java(self, *arguments: str) -> str:
        run = subprocess.run(
            [*self._java_command(*QUICK_START), *arguments], check=True, capture_output=True, text=True
        )
        return run.stdout

    def _answers(self) -> bool:
        assert self._process, "Kafka was stopped"
        assert self._process.poll() is None, (self.directory / "log").read_text(encoding="utf-8")[-3000:]
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                pass
            with self.admin() as admin:
                return bool(admin.list_topics() is not None)
        except (OSError, KafkaError):
            return False


def _batches(log: bytes) -> Iterator[tuple[int, int, int]]:
    """The batches of a log file: place, length, the offset behind the last record."""
    place = 0
    while place < len(log):
        base_offset, length = struct.unpack_from(">qi", log, place)
        (last,) = struct.unpack_from(">i", log, place + 23)
        yield place, 12 + length, base_offset + last + 1
        place += 12 + length
