"""The benchmark's servers are set from the roles: what it reads there is there."""

from tests.benchmark.as_deployed import initdb_options, kafka_java_options, kafka_settings, postgres_settings


def test_settings_of_postgresql_come_from_the_role() -> None:
    settings = postgres_settings()

    assert settings["synchronous_commit"] == "on"
    assert settings["shared_buffers"].endswith("MB")
    assert "port" not in settings
    assert "--data-checksums" in initdb_options()


def test_settings_of_kafka_come_from_the_role() -> None:
    assert "metadata.max.idle.interval.ms" in kafka_settings()
    assert any(option.startswith("-Xmx") for option in kafka_java_options())
