"""`lambda-app produce`: generated transactions into the topic."""

import logging
import signal
from types import FrameType

import click

from lambda_app import settings
from lambda_app.commands.options import metrics_address_option
from lambda_app.core.events import Event
from lambda_app.core.stream.tally import producer_samples
from lambda_app.errors import LambdaError
from lambda_app.host import exposition, notify, terminal
from lambda_app.host.clock import SystemClock
from lambda_app.settings import Settings
from lambda_app.stream.producer import Producer

logger = logging.getLogger(__name__)


@click.command()
@click.option(
    "--rate", type=click.FloatRange(min=0), default=settings.PRODUCE_RATE, help="Records a second; 0: no limit."
)
@click.option("--count", type=click.IntRange(min=0), help="End after this many records.  [default: never]")
@click.option(
    "--compression",
    type=click.Choice(["none", "gzip", "snappy", "lz4", "zstd"]),
    default=settings.PRODUCE_COMPRESSION,
    help="How batches are compressed.",
)
@metrics_address_option
@click.pass_obj
def produce(config: Settings, rate: float, count: int | None, compression: str, metrics_address: str) -> None:
    """Send generated transactions to the topic, until SIGTERM or for --count records.

    On SIGTERM it sends no new records, and waits for the acknowledgements of those it sent.
    """
    producer = Producer(config, rate, count, SystemClock(), compression)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        notify.stopping()
        producer.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if metrics_address:
        exposition.serve(metrics_address, lambda: producer_samples(producer.tally, producer.unacknowledged))
    producer.run()
    tally = producer.tally
    summary = f"sent {tally.sent}, acknowledged {tally.acknowledged}, failed {tally.failed}"
    if count is None:
        fields = Event.PRODUCER_STOPPED.fields(sent=tally.sent, acknowledged=tally.acknowledged, lost=tally.failed)
        logger.info("Stopped: %s, not acknowledged %d", summary, producer.unacknowledged, extra=fields)
    else:
        terminal.say(summary)
    if count is not None and tally.failed:
        raise LambdaError(f"{tally.failed} records did not reach Kafka")
