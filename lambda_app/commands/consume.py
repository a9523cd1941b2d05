"""`lambda-app consume`: Kafka to PostgreSQL, exactly once."""

import click

from lambda_app import settings
from lambda_app.settings import Settings
from lambda_app.stream.supervisor import Supervisor


@click.command()
@click.option("--workers", default=settings.CONSUME_WORKERS, type=click.IntRange(1, 64), help="Worker processes.")
@click.pass_obj
def consume(config: Settings, workers: int) -> None:
    """Store the topic's messages in PostgreSQL until stopped."""
    Supervisor(config, workers).run()
