"""`lambda-app` without the speed layer, to see what that costs. Nothing of this is in the product.

python -m tests.benchmark.without_aggregates consume
"""

from lambda_app import cli
from lambda_app.core.transaction.aggregates import Aggregates, Columns
from lambda_app.core.transaction.stats import Key, Stat
from lambda_app.layers.speed_layer import SpeedLayer

_NOTHING = Stat(0, 0, 0, 0, 0, 0)


def only_minutes(columns: Columns) -> Aggregates:
    """In place of the aggregates: of which minutes the rows are must be known all the same."""
    keys: set[Key] = {(minute, "", "") for minute in set(columns.minutes)}
    return Aggregates(dict.fromkeys(keys, _NOTHING))


def main() -> None:
    Aggregates.of = staticmethod(only_minutes)  # type: ignore[method-assign]
    SpeedLayer.add = lambda *_: None  # type: ignore[method-assign]
    cli.main()


if __name__ == "__main__":
    main()
