"""The unit files as text: accepted by systemd, hardened, in their slice, and without what belongs elsewhere."""

import re
import shutil
import subprocess
from itertools import dropwhile, takewhile
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
UNITS = sorted(PROJECT.joinpath("systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
TABLE = yaml.safe_load(PROJECT.joinpath("roles/platform/vars/main/components.yml").read_text())["component_table"]
# Those that run something, without Debian's own unit, which gets drop-ins.
OURS = {name: row for name, row in TABLE.items() if "slice" in row and name != "lambda-postgres"}
POSTGRES_DROP_IN = PROJECT / "roles/postgres/files/20-platform.conf"
POSTGRES_HARDENING = PROJECT / "roles/postgres/templates/30-hardening.conf.j2"
# Of systemd-analyze security, from 0 to 10.
MAX_EXPOSURE = 1.5
# It looks at all disks and interfaces.
MAX_EXPOSURE_OF = {"lambda-node-exporter.service": 2.0}


def settings(unit: Path) -> list[tuple[str, str]]:
    """Each `Key=value` of a unit file, in order."""
    lines = [line for line in unit.read_text().replace("\\\n", " ").splitlines() if "=" in line and line[0] not in "#;"]
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


def values(unit: Path, key: str) -> list[str]:
    return [value for name, value in settings(unit) if name == key]


def install(units: list[Path], root: Path) -> None:
    """Lays units and empty executables under `root`, where systemd-analyze looks."""
    directory = root / "etc/systemd/system"
    directory.mkdir(parents=True)
    for unit in units:
        shutil.copy(unit, directory)
        for key in ("ExecReload", "ExecStart", "ExecStartPost", "ExecStartPre", "ExecStopPost"):
            for command in values(unit, key):
                program = root / command.split()[0].lstrip("-+/")
                program.parent.mkdir(parents=True, exist_ok=True)
                program.touch(mode=0o755)


def verify(root: Path, unit: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", f"--root={root}", "verify", "--recursive-errors=no", unit.replace("@.", "@test.")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def exposure(*what: str) -> float:
    """From 0 (best) to 10."""
    command = ["systemd-analyze", "security", "--offline=true", *what]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", output)
    assert level, output
    return float(level[1])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_is_accepted_by_systemd(unit: Path, tmp_path: Path) -> None:
    install(UNITS, tmp_path)

    result = verify(tmp_path, unit.name)

    assert (result.returncode, result.stderr) == (0, "")


def test_verify_refuses_a_unit_with_an_unknown_key(tmp_path: Path) -> None:
    install(UNITS, tmp_path)
    unit = tmp_path / "etc/systemd/system/lambda-consumer.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))

    result = verify(tmp_path, unit.name)

    assert result.returncode == 1
    assert "WatchdogSecs" in result.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_service_is_hardened(unit: Path) -> None:
    assert exposure(str(unit)) <= MAX_EXPOSURE_OF.get(unit.name, MAX_EXPOSURE)


def test_debians_unit_of_postgresql_is_hardened_by_its_drop_ins(tmp_path: Path) -> None:
    unit = Path("/usr/lib/systemd/system/postgresql@.service")
    instance = "postgresql@test-main.service"
    drop_ins = tmp_path / f"etc/systemd/system/{instance}.d"
    drop_ins.mkdir(parents=True)
    shutil.copy(unit, drop_ins.parent / instance)
    without = exposure(f"--root={tmp_path}", instance)

    shutil.copy(POSTGRES_DROP_IN, drop_ins)
    (drop_ins / "30-hardening.conf").write_text(
        re.sub(r"{{.*}}", "/var/lib/postgresql", POSTGRES_HARDENING.read_text())
    )

    assert without > 9.0
    assert exposure(f"--root={tmp_path}", instance) <= MAX_EXPOSURE


@pytest.mark.parametrize("component", OURS)
def test_component_runs_in_its_slice_and_stops_with_the_target(component: str) -> None:
    unit = PROJECT / "systemd" / OURS[component]["unit"]

    assert values(unit, "Slice") == [OURS[component]["slice"]]
    assert values(unit, "PartOf") == ["lambda.target"]


# Timers, paths, targets and slices run nothing that could fail.
@pytest.mark.parametrize("unit", [*SERVICES, POSTGRES_DROP_IN], ids=lambda unit: unit.name)
def test_service_alerts_when_it_fails(unit: Path) -> None:
    alert = "-+/usr/local/sbin/lambda-alert %n"

    assert values(unit, "ExecStopPost") == [alert]


def test_maintenance_follows_the_batch_whatever_became_of_it_and_shares_its_slice() -> None:
    batch, maintenance = (PROJECT / f"systemd/lambda-{name}.service" for name in ("csv-batch", "db-maintenance"))

    assert values(batch, "OnSuccess") == [maintenance.name]
    assert maintenance.name in " ".join(values(batch, "OnFailure")).split()
    for key in ("Slice", "PartOf"):
        assert values(maintenance, key) == values(batch, key)


@pytest.mark.parametrize("component", [name for name, row in TABLE.items() if row["kind"] == "job"])
def test_job_may_leave_metrics_under_its_name(component: str) -> None:
    unit = PROJECT / "systemd" / TABLE[component]["unit"]

    # %N is the unit's name, by which the component is known to the other metrics.
    assert f"{component}.service" == unit.name
    assert "LAMBDA_COMPONENT=%N LAMBDA_METRICS_DIRECTORY=/var/lib/lambda/metrics" in values(unit, "Environment")
    assert "-/var/lib/lambda/metrics" in values(unit, "ReadWritePaths")


def test_each_description_says_what_its_unit_does() -> None:
    descriptions = {
        unit.name: values(unit, "Description")[0] for unit in UNITS if unit.suffix not in {".slice", ".target"}
    }

    # `systemctl list-timers` and the journal show nothing else of it: "Midnight" would say too little.
    assert [name for name, text in descriptions.items() if len(text.split()) < 3] == []
    assert len(set(descriptions.values())) == len(descriptions)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_has_no_limits_and_no_templating(unit: Path) -> None:
    keys = {key for key, _ in settings(unit)}

    assert not keys & {"CPUQuota", "MemoryMax", "MemoryHigh"}
    assert "{{" not in unit.read_text()


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_sandbox_is_the_last_block_and_alphabetical(unit: Path) -> None:
    service = unit.read_text().split("[Service]\n")[1].split("\n[Install]")[0]
    block = service.strip().split("\n\n")[-1]

    # It may open with a comment; a relaxation stands after the others, under its reason.
    lines = list(dropwhile(lambda line: line.startswith("#"), block.splitlines()))
    kept = [line.partition("=")[0] for line in takewhile(lambda line: not line.startswith("#"), lines)]

    assert "ProtectSystem" in kept
    assert kept == sorted(kept)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_service_ends_within_the_promise_of_the_target(unit: Path) -> None:
    timeouts = values(unit, "TimeoutStopSec")

    assert all(int(timeout.removesuffix("s")) < 60 for timeout in timeouts)
    assert timeouts or values(unit, "Type") == ["oneshot"]
