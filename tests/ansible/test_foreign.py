"""files/foreign tells the platform's things from somebody else's. molecule/unusual asks what needs a real host."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
UNITS = sorted(path for path in PROJECT.joinpath("systemd").iterdir() if path.suffix != ".slice")


def complaints(root: Path, *claims: str) -> list[str]:
    command = ["sh", str(PROJECT / "roles/preflight/files/foreign"), *claims]
    environment = os.environ | {"ROOT": str(root)}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()


def make(root: Path, things: dict[str, str | None]) -> None:
    """Files with their text, directories (None), links ("-> target")."""
    for name, text in things.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.mkdir()
        elif text.startswith("-> "):
            path.symlink_to(text.removeprefix("-> "))
        else:
            path.write_text(text)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_of_the_platform_is_known(unit: Path, tmp_path: Path) -> None:
    directory = tmp_path / "etc/systemd/system"
    directory.mkdir(parents=True)
    shutil.copy(unit, directory)

    assert complaints(tmp_path, f"unit={unit.name}") == []


@pytest.mark.parametrize(
    ("claim", "things", "expected"),
    [
        ("unit=kafka.service", {}, []),
        (
            "unit=kafka.service",
            {"lib/systemd/system/kafka.service": "[Service]\nExecStart=/srv/kafka/bin/kafka-server-start.sh\n"},
            ["The unit /lib/systemd/system/kafka.service is not the platform's: stop it and remove or rename it."],
        ),
        ("masked=prometheus.service", {}, []),
        # A first run that stopped before the package came, and one that came to its end.
        ("masked=prometheus.service", {"etc/systemd/system/prometheus.service": "-> /dev/null"}, []),
        (
            "masked=prometheus.service",
            {"lib/systemd/system/prometheus.service": "", "etc/systemd/system/prometheus.service": "-> /dev/null"},
            [],
        ),
        (
            "masked=prometheus.service",
            {"lib/systemd/system/prometheus.service": ""},
            [
                (
                    "The unit /lib/systemd/system/prometheus.service is somebody else's, and the platform"
                    " would mask it:"
                    " remove its package, or mask it yourself."
                ),
            ],
        ),
        ("tree=/opt/kafka:/opt/kafka/kafka-????????????", {"opt/kafka": None}, []),
        # A first run that stopped while it unpacked.
        ("tree=/opt/kafka:/opt/kafka/kafka-????????????", {"opt/kafka/kafka-0123456789ab/libs": None}, []),
        # What a person put beside it.
        (
            "tree=/opt/kafka:/opt/kafka/kafka-????????????",
            {"opt/kafka/kafka-0123456789ab/libs": None, "opt/kafka/notes": "mine"},
            [],
        ),
        ("tree=/var/lib/kafka:/etc/kafka/kafka.env", {"var/lib/kafka/lost+found": None}, []),
        (
            "tree=/opt/kafka:/opt/kafka/kafka-????????????",
            {"opt/kafka/bin": None, "opt/kafka/config": None, "opt/kafka/libs": None, "opt/kafka/site-docs": None},
            ["/opt/kafka holds what is not the platform's: bin, config, libs. Move it away."],
        ),
        ("link=/opt/lambda:/opt/lambda-", {"opt/lambda": "-> /opt/lambda-0123456789ab"}, []),
        (
            "link=/opt/lambda:/opt/lambda-",
            {"opt/lambda/bin": None},
            ["/opt/lambda is not the platform's: move it away."],
        ),
        (
            "link=/opt/lambda:/opt/lambda-",
            {"opt/lambda": "-> /srv/lambda"},
            ["/opt/lambda is not the platform's: move it away."],
        ),
        ("file=/etc/x.conf:# Made by Ansible.", {"etc/x.conf": "# Made by Ansible. All of it.\n"}, []),
        (
            "file=/etc/x.conf:# Made by Ansible.",
            {"etc/x.conf": "[mine]\n"},
            ["/etc/x.conf is not the platform's, which would replace it: move it away."],
        ),
    ],
)
def test_only_what_is_somebody_elses_is_complained_of(
    claim: str, things: dict[str, str | None], expected: list[str], tmp_path: Path
) -> None:
    make(tmp_path, things)

    assert complaints(tmp_path, claim) == expected


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    make(tmp_path, {"opt/lambda/bin": None, "opt/pgadmin/bin": None})

    assert len(complaints(tmp_path, "link=/opt/lambda:/opt/lambda-", "link=/opt/pgadmin:/opt/pgadmin-")) == 2
