"""The role certificates on the controller: who signs, for which names, for how long, and what a second run does."""

import datetime
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

PROJECT = Path(__file__).parents[2]
PLAYBOOK = """
- hosts: all
  connection: local
  gather_facts: false
  roles: [platform]
  vars:
    platform_name: test
    secrets_directory: "{directory}/secrets"
    __postgres_version: "15"
  tasks:
    - ansible.builtin.include_role: {{name: certificates, tasks_from: "{{{{ item }}}}"}}
      loop: {parts}
"""
SIGN = ("preflight", "authority", "certificate")


def run(
    tmp_path: Path,
    *parts: str,
    inventory: Path = PROJECT / "inventory/cluster",
    options: tuple[str, ...] = (),
    **variables: object,
) -> subprocess.CompletedProcess[str]:
    """Runs parts of the role for the hosts of an inventory, which it does not touch."""
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK.format(directory=tmp_path, parts=json.dumps(parts or SIGN)))
    command = ["ansible-playbook", *options, "--inventory", str(inventory), str(playbook)]
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
    }
    return subprocess.run(
        [*command, "--extra-vars", json.dumps(variables)], capture_output=True, text=True, check=False, env=environment
    )


def done(tmp_path: Path, *parts: str, **variables: object) -> bool:
    """Whether a run that has to succeed changed something."""
    result = run(tmp_path, *parts, **variables)
    assert result.returncode == 0, result.stdout + result.stderr
    return re.search(r"changed=[1-9]", result.stdout.split("RECAP")[1]) is not None


def read(tmp_path: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(tmp_path.joinpath("secrets/ca", name).read_bytes())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose secrets are those of a first run; tests that change it take a copy."""
    directory = tmp_path_factory.mktemp("made")
    assert done(directory)
    return directory


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "secrets", tmp_path / "secrets")
    return tmp_path


def test_host_has_the_names_that_others_know_it_by_for_a_year(made: Path) -> None:
    certificate = read(made, "hosts/stream-1.pem")

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"stream-1", "localhost"}
    assert {str(each) for each in names.get_values_for_type(x509.IPAddress)} == {"192.0.2.11", "127.0.0.1", "::1"}
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(purposes) == {x509.OID_SERVER_AUTH, x509.OID_CLIENT_AUTH}
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert 364 <= left.days <= 365
    # Nor does a host whose clock is late refuse a new one.
    assert datetime.datetime.now(datetime.UTC) - certificate.not_valid_before_utc > datetime.timedelta(hours=23)
    certificate.verify_directly_issued_by(read(made, "authority.pem"))


def test_only_a_host_of_kafka_can_be_the_broker(made: Path) -> None:
    subjects = {path.stem: read(made, f"hosts/{path.name}").subject for path in made.glob("secrets/ca/hosts/*.pem")}

    assert subjects.pop("stream-1").rfc4514_string() == "CN=stream-1,OU=kafka"
    assert {subject.rfc4514_string() for subject in subjects.values()} == {
        f"CN={name},OU=host" for name in ("data-1", "app-1", "app-2")
    }


def test_keys_are_the_controllers_user_alone(made: Path) -> None:
    keys = [*made.glob("secrets/ca/**/*.key"), *made.glob("secrets/ca/**/*.p12")]

    assert len(keys) == 1 + 4 + 1
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    assert {made.joinpath("secrets/ca", name).stat().st_mode & 0o777 for name in ("", "hosts")} == {0o700}


def test_second_run_changes_nothing(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.glob("secrets/ca/**/*.*")}

    assert not done(copy)
    assert {path: path.read_bytes() for path in copy.glob("secrets/ca/**/*.*")} == before


def test_certificate_that_ends_soon_is_replaced_and_its_key_stays(copy: Path) -> None:
    key, before = copy.joinpath("secrets/ca/hosts/app-1.key").read_bytes(), read(copy, "hosts/app-1.pem")

    # One of a year has some seconds less than that left.
    assert done(copy, certificates_renew_days=365, certificates_days=366)

    after = read(copy, "hosts/app-1.pem")
    assert after.serial_number != before.serial_number
    assert copy.joinpath("secrets/ca/hosts/app-1.key").read_bytes() == key
    assert after.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ) == before.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_host_with_another_name_gets_another_certificate(copy: Path) -> None:
    assert done(copy, certificates_extra_names=["kafka.example.org", "10.0.0.9"])

    names = read(copy, "hosts/app-2.pem").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kafka.example.org" in names.get_values_for_type(x509.DNSName)
    assert "10.0.0.9" in {str(each) for each in names.get_values_for_type(x509.IPAddress)}


def test_another_authority_takes_over_step_by_step(copy: Path) -> None:
    first = read(copy, "authority.pem")

    assert done(copy, "next")
    assert read(copy, "authority.pem") == first
    following = read(copy, "next.pem")
    assert following.subject != first.subject
    # Signed by the first as long as the hosts learn to trust the next.
    assert not done(copy)

    assert done(copy, "advance")
    assert (read(copy, "authority.pem"), read(copy, "previous.pem")) == (following, first)
    # Another is not begun before this one is over.
    assert not done(copy, "next")
    assert done(copy)
    read(copy, "hosts/data-1.pem").verify_directly_issued_by(following)

    assert done(copy, "forget")
    assert {path.name for path in copy.glob("secrets/ca/*.*")} == {"authority.key", "authority.pem"}
    assert not done(copy, "advance", "forget", *SIGN)


def test_take_over_that_was_stopped_half_way_is_gone_on_with(copy: Path) -> None:
    done(copy, "next")
    directory = copy / "secrets/ca"
    # As advance.yml leaves it when it is killed before its last step.
    shutil.copy(directory / "authority.pem", directory / "previous.pem")
    directory.joinpath("next.key").rename(directory / "authority.key")

    assert done(copy, "advance", *SIGN)

    read(copy, "hosts/data-1.pem").verify_directly_issued_by(read(copy, "authority.pem"))


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"certificates_days": 20},
            "certificates_renew_days, certificates_days and certificates_authority_days are 30, 20",
        ),
        ({"certificates_extra_names": ["a b"]}, "is reached by a b, which cannot stand in a certificate"),
        ({"certificates_extra_names": ["müller.example"]}, "is reached by müller.example, which cannot stand"),
    ],
)
def test_preflight_refuses_by_name(copy: Path, variables: dict[str, object], sentence: str) -> None:
    result = run(copy, "preflight", **variables)

    assert result.returncode == 2
    assert sentence in " ".join(result.stdout.split())


def test_authority_without_its_key_is_refused(copy: Path) -> None:
    copy.joinpath("secrets/ca/authority.key").unlink()

    result = run(copy, "preflight")

    assert result.returncode == 2
    assert "authority.pem is there without its key: restore authority.key" in " ".join(result.stdout.split())


def test_hosts_that_differ_in_whether_they_speak_tls_are_refused(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory"
    shutil.copytree(PROJECT / "inventory/cluster", inventory)
    inventory.joinpath("host_vars").mkdir()
    inventory.joinpath("host_vars/app-2.yml").write_text("platform_tls: false\n")

    result = run(tmp_path, "preflight", inventory=inventory)

    assert result.returncode == 2
    assert "platform_tls differs between the hosts of the inventory: set it once" in " ".join(result.stdout.split())


def test_nothing_is_created_where_nothing_speaks_tls(tmp_path: Path) -> None:
    # What is left to do is on the host: this one is only looked at.
    result = run(tmp_path, "main", options=("--check",), platform_tls=False)

    assert result.returncode == 0, result.stdout + result.stderr
    assert not tmp_path.joinpath("secrets/ca").exists()


def test_metric_is_the_declared_one() -> None:
    from lambda_app.core.metrics.declared import CERTIFICATE_END_TIME

    template = PROJECT.joinpath("roles/certificates/templates/certificates.prom.j2").read_text()
    variables = yaml.safe_load(PROJECT.joinpath("roles/certificates/vars/main.yml").read_text())
    assert f"# TYPE {CERTIFICATE_END_TIME.name} gauge" in template
    assert variables["__certificates_meaning"] == CERTIFICATE_END_TIME.meaning
