"""`lambda-app` without the speed layer, to see what that costs. Nothing of this is in the product.

python -m tests.benchmark.without_aggregates consume
"""

from collections.abc import Sequence

from lambda_app import cli
from lambda_app.core import columns
from lambda_app.core.aggregates import Aggregates
from lambda_app.core.stats import Key, Stat
from lambda_app.speed_layer import SpeedLayer

_NOTHING = Stat(0, 0, 0, 0, 0, 0)


def only_minutes(minutes: Sequence[str], *_: Sequence[str]) -> Aggregates:
    """In place of the aggregates: of which minutes the rows are must be known all the same."""
    keys: set[Key] = {(minute, "", "") for minute in set(minutes)}
    return Aggregates(dict.fromkeys(keys, _NOTHING))


def main() -> None:
    # Before the modules that take the function over by name.
    columns.aggregate_columns = only_minutes  # type: ignore[assignment]
    SpeedLayer.add = lambda *_: None  # type: ignore[method-assign]
    cli.main()


if __name__ == "__main__":
    main()
