"""How fast a CSV file goes into PostgreSQL, beside `psql \\copy` of it, and the memory that a large one takes."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2

from lambda_app.batch.generated import COLUMNS, csv_values
from lambda_app.core.transaction.generator import TransactionGenerator, draw_pools
from lambda_app.core.transaction.identifiers import TransactionIds
from tests.benchmark.figures import PAIRS, Figure, figure, ratio
from tests.benchmark.platform_under_test import PlatformUnderTest
from tests.benchmark.processes import Sampler
from tests.support.processes import REPOSITORY
from tests.support.program import COMMAND, Program

ROWS = int(os.environ.get("LAMBDA_BENCH_CSV_ROWS", "1000000"))
LARGE_BYTES = int(os.environ.get("LAMBDA_BENCH_CSV_BYTES", "2000000000"))
LIMIT_SECONDS = 1800


def measure(platform: PlatformUnderTest) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="lambda-csv-") as name:
        Path(name).chmod(0o755)
        rates, copy_rates = [], []
        path = Path(name, "rows.csv")
        write(path, ROWS, ROWS)
        for _ in range(PAIRS):
            copy_rates.append(psql_copy(platform, path))
            rates.append(load(platform, path)[0])
        bytes_a_row = path.stat().st_size / ROWS
        path.unlink()
        yield figure("CSV load", rates, "rows/s")
        yield figure("psql \\copy of the same file", copy_rates, "rows/s")
        yield ratio("CSV load in psql \\copy", rates, copy_rates, at_least=0.8)
        large = Path(name, "large.csv")
        write(large, int(LARGE_BYTES / bytes_a_row), ROWS)
        yield Figure("size of a large file", large.stat().st_size / 1e6, "MB")
        rate, peak_bytes = load(platform, large)
        yield Figure("load of the large file", rate, "rows/s")
        yield Figure("memory of the batch for the large file", peak_bytes / 1e6, "MB", at_most=200)


def write(path: Path, rows: int, rows_a_day: int) -> None:
    """A file of so many generated rows, in the order of their times, the last of them yesterday."""
    generator = TransactionGenerator(draw_pools(), TransactionIds(1), seed=1)
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    milliseconds = int((end - timedelta(days=1) * (rows / rows_a_day)).timestamp() * 1000)
    step = 86_400_000 * 100 // rows_a_day
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(COLUMNS) + "\n")
        for _ in range(0, rows, 100):
            for each in generator.generate(milliseconds, 100):
                values = csv_values(each)
                file.write(",".join(f'"{value}"' if "," in value else value for value in values) + "\n")
            milliseconds += step


def load(platform: PlatformUnderTest, path: Path) -> tuple[float, int]:
    """Rows a second from the job's start to its last statement, and the most memory that the batch took."""
    with platform.database() as database, tempfile.TemporaryDirectory(prefix="lambda-batch-") as directory:
        environment = {
            **platform.environment(database),
            "STATE_DIRECTORY": directory,
            "LAMBDA_BATCH_SCHEDULE_QUIET_SECONDS": "0",
        }
        inbox = Path(directory, "inbox")
        inbox.mkdir()
        os.link(path, inbox / path.name)
        connection = platform.postgres.connect(database)
        no_night = "INSERT INTO lambda.batch_jobs (source, business_date, status)"
        _execute(connection, f"{no_night} VALUES ('generated', current_date - 1, 'completed')")
        subprocess.run([*COMMAND, "batch", "schedule"], env=environment, cwd=REPOSITORY, check=True)
        with Program(environment, "batch", "run") as run:
            sampler = Sampler(run.process.pid)
            assert run.process.wait(LIMIT_SECONDS) == 0, run.text
            sampler.stop()
        [(rows, seconds)] = _execute(
            connection,
            "SELECT rows_loaded, extract(epoch FROM finished_at - started_at)::float8 FROM lambda.batch_jobs"
            " WHERE file IS NOT NULL AND status = 'completed' AND rows_loaded = rows_read",
        )
        connection.close()
        return rows / seconds, max(sampler.peak_bytes.values())


def psql_copy(platform: PlatformUnderTest, path: Path) -> float:
    """Rows a second of one `\\copy` into the same partitioned table, partitions made before."""
    with platform.database() as database:
        connection = platform.postgres.connect(database)
        _execute(connection, "SELECT lambda.ensure_partition(current_date - n) FROM generate_series(0, 2) AS n")
        _execute(connection, "ALTER TABLE lambda.transactions ALTER ingestion_type SET DEFAULT 'BATCH'")
        psql = ["psql", "-qX", "-h", str(platform.postgres.directory), "-p", str(platform.postgres.port)]
        started = time.monotonic()
        subprocess.run(
            [
                *[*psql, "-U", "postgres", "-d", database],
                *["-c", f"\\copy lambda.transactions ({', '.join(COLUMNS)}) FROM '{path}' CSV HEADER"],
            ],
            check=True,
        )
        elapsed = time.monotonic() - started
        [(count,)] = _execute(connection, "SELECT count(*) FROM lambda.transactions")
        connection.close()
        return int(count) / elapsed


def _execute(connection: psycopg2.extensions.connection, statement: str) -> list[tuple[float, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []
