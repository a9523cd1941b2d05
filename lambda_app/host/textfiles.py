"""Metrics that a program leaves behind when it ends: a file each, which the node exporter shows at every scrape.

What they are about is done by then, so a file that cannot be written is a warning and no failure.
"""

import logging
from collections.abc import Iterable

from lambda_app.core.events import Event
from lambda_app.core.metrics import declared
from lambda_app.core.metrics.kinds import Sample
from lambda_app.host import exposition
from lambda_app.host.clock import Clock
from lambda_app.host.environment import component, metrics_directory

logger = logging.getLogger(__name__)


def leave(name: str, samples: Iterable[Sample]) -> None:
    """Replaces the file NAME.prom; does nothing where the environment names no directory."""
    directory = metrics_directory()
    if directory is None:
        return
    path = directory / f"{name}.prom"
    try:
        exposition.write(path, samples)
    except OSError as error:
        fields = Event.TEXTFILE_FAILED.fields(file=path.name)
        logger.warning("Metrics are not written to %s: %s", path, error, extra=fields)


def leave_run(exit_status: int, started: float, clock: Clock) -> None:
    """What became of the run of a component's unit, which began at `started` by the clock's monotonic time."""
    name = component()
    if name is not None:
        samples = (
            declared.RUN_TIME.sample(clock.now().timestamp(), name),
            declared.RUN_SECONDS.sample(clock.monotonic() - started, name),
            declared.RUN_EXIT_STATUS.sample(exit_status, name),
        )
        leave(f"run-{name}", samples)
