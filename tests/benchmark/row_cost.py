"""What a row costs PostgreSQL: chunks as the consumer stores them, into a day's partition as it is and changed."""

import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg2

from lambda_app.core.transaction.copy_text import COLUMNS
from lambda_app.core.transaction.generator import TransactionGenerator, draw_pools, render_message
from lambda_app.core.transaction.identifiers import TransactionIds
from lambda_app.core.transaction.message_bulk import encode_messages
from lambda_app.settings import CHUNK_RECORDS
from tests.benchmark.figures import PAIRS, Figure, figure, ratio
from tests.benchmark.platform_under_test import PlatformUnderTest
from tests.benchmark.processes import Sampler

ROWS = 400_000
DAY = date(2026, 6, 15)
# Of the generator's rows so many happen in one millisecond, as in the other benchmarks.
ROWS_A_MILLISECOND = 20
WITHOUT_CHECK = "ALTER TABLE lambda.transactions DROP CONSTRAINT transactions_ingestion_type_check"
WITHOUT_INDEX = "DROP INDEX lambda.transactions_high_risk_idx"
WITHOUT_KEY = "ALTER TABLE lambda.transactions DROP CONSTRAINT transactions_pkey"


@dataclass(frozen=True)
class Variant:
    """A change of the table before its partition is made, and the format of COPY."""

    name: str
    statement: str = "SELECT"
    is_binary: bool = False


AS_IT_IS = Variant("as it is")
VARIANTS = (
    AS_IT_IS,
    Variant("without the check", WITHOUT_CHECK),
    Variant("without the index on high risks", WITHOUT_INDEX),
    Variant("without both", f"{WITHOUT_CHECK}; {WITHOUT_INDEX}"),
    Variant("without any index", f"{WITHOUT_CHECK}; {WITHOUT_INDEX}; {WITHOUT_KEY}"),
    Variant("by binary COPY", is_binary=True),
)


def measure(platform: PlatformUnderTest, variants: Sequence[Variant] = VARIANTS) -> Iterator[Figure]:
    texts = chunks(ROWS)
    costs: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for _ in range(PAIRS):
        for variant in variants:
            costs[variant.name].append(cost(platform, variant, texts))
    for variant in variants:
        yield figure(f"PostgreSQL CPU a row, {variant.name}", costs[variant.name], "us")
    for variant in variants[1:]:
        yield ratio(f"{variant.name}, in the table as it is", costs[variant.name], costs[AS_IT_IS.name])


def chunks(rows: int) -> list[bytes]:
    """COPY text of generated rows of a day, each chunk in the order of the key."""
    generator = TransactionGenerator(draw_pools(), TransactionIds(1), seed=1)
    milliseconds = int(datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC).timestamp() * 1000)
    texts = []
    for _ in range(0, rows, CHUNK_RECORDS):
        messages: list[bytes | None] = []
        for _ in range(0, CHUNK_RECORDS, ROWS_A_MILLISECOND):
            milliseconds += 1
            messages += [render_message(each) for each in generator.generate(milliseconds, ROWS_A_MILLISECOND)]
        lines = encode_messages(messages, "STREAM", datetime.now(UTC)).rows.lines
        texts.append("".join(sorted(lines)).encode())
    return texts


def cost(platform: PlatformUnderTest, variant: Variant, texts: Sequence[bytes]) -> float:
    """Microseconds of CPU that all of PostgreSQL uses for a row, a commit for each chunk included."""
    columns = ", ".join(COLUMNS)
    with platform.database() as database, closing(platform.postgres.connect(database)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(variant.statement)
            cursor.execute(f"SELECT lambda.ensure_partition('{DAY}')")
            if variant.is_binary:
                texts = [_binary(connection, columns, text) for text in texts]
            with Sampler(platform.postgres.pid) as sampler:
                for text in texts:
                    copy = f"COPY lambda.transactions_{DAY:%Y%m%d} ({columns}) FROM STDIN"
                    cursor.copy_expert(copy + (" BINARY" if variant.is_binary else ""), io.BytesIO(text), 262144)
            used = sum(sampler.used().values())
            cursor.execute("SELECT count(*) FROM lambda.transactions")
            [(count,)] = cursor.fetchall()
        return used / int(count) * 1e6


def _binary(connection: psycopg2.extensions.connection, columns: str, text: bytes) -> bytes:
    """The same rows in COPY's binary format."""
    binary = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE IF NOT EXISTS chunk (LIKE lambda.transactions INCLUDING DEFAULTS)")
        cursor.copy_expert(f"COPY pg_temp.chunk ({columns}) FROM STDIN", io.BytesIO(text))
        cursor.copy_expert(f"COPY pg_temp.chunk ({columns}) TO STDOUT BINARY", binary)
        cursor.execute("TRUNCATE pg_temp.chunk")
    return binary.getvalue()
