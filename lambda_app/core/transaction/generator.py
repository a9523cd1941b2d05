"""Made-up transactions that look like a card business: a stable population, busy accounts, a long tail of amounts.

The same seed gives the same transactions. Faker draws the pools once, everything after that is a pick from a pool,
since Faker itself is ten times too slow for the stream. No clock: the caller says when a transaction happens.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import NamedTuple

from faker import Faker

from lambda_app.core.transaction.days import day_bounds
from lambda_app.core.transaction.identifiers import PROCESS_BITS, TransactionIds

TRANSACTION_TYPES = ("purchase", "withdrawal", "transfer", "refund", "deposit")
TYPE_WEIGHTS = (70, 10, 10, 4, 6)
# Category: how often it is visited, and what it adds to the risk.
CATEGORIES = {
    "grocery": (24, 0.00),
    "gas": (12, 0.05),
    "restaurant": (18, 0.02),
    "retail": (14, 0.08),
    "electronics": (7, 0.18),
    "pharmacy": (8, 0.03),
    "coffee": (12, 0.00),
    "entertainment": (5, 0.12),
}
ACCOUNTS = 10_000
LOCATIONS = 200
MERCHANTS = 2_000
POOL_SEED = 20_260_101

AMOUNT_MIN_CENTS = 10_00
AMOUNT_MAX_CENTS = 500_00
CARD_PRESENT_SHARE = 0.75
# Hours in which a transaction is more suspicious than by day.
NIGHT_HOURS = frozenset({23, 0, 1, 2, 3, 4})


class GeneratedTransaction(NamedTuple):
    """One transaction as text, ready for a JSON message or a CSV line; the amount and the risk have two decimals."""

    transaction_id: str
    account_id: str
    transaction_type: str
    amount: str
    event_time: str
    card_present: bool
    risk_score: str
    merchant: "Merchant"


@dataclass(frozen=True, slots=True)
class Merchant:
    """A place to spend money at; `json_members` is the merchant's part of a message, rendered once."""

    name: str
    category: str
    location: str
    risk: float
    json_members: str


@dataclass(frozen=True, slots=True)
class Pools:
    """What transactions are made of: the same at every start, so that accounts and merchants recur."""

    accounts: Sequence[str]
    merchants: Sequence[Merchant]
    types: Sequence[str]


def draw_pools(seed: int = POOL_SEED) -> Pools:
    """The pools of a seed; categories and types are in them as often as they weigh, so that a plain pick is enough."""
    fake = Faker("en_US")
    fake.seed_instance(seed)
    rng = random.Random(seed)  # noqa: S311 - nothing secret is drawn
    locations = [f"{fake.city()}, {fake.state_abbr(include_territories=False)}" for _ in range(LOCATIONS)]
    visits = [weight for weight, _ in CATEGORIES.values()]
    categories = rng.choices(list(CATEGORIES), visits, k=MERCHANTS)
    return Pools(
        accounts=[f"ACC{number:08d}" for number in rng.sample(range(10_000_000, 100_000_000), ACCOUNTS)],
        merchants=[_merchant(fake.company(), category, rng.choice(locations)) for category in categories],
        types=[name for name, weight in zip(TRANSACTION_TYPES, TYPE_WEIGHTS, strict=True) for _ in range(weight)],
    )


def _merchant(name: str, category: str, location: str) -> Merchant:
    members = {"merchant_category": category, "location": location, "merchant_name": name}
    return Merchant(name, category, location, CATEGORIES[category][1], json.dumps(members, separators=(",", ":"))[1:-1])


class TransactionGenerator:
    """An endless source of transactions over fixed pools; `zone` decides which hours are night."""

    def __init__(self, pools: Pools, ids: TransactionIds, seed: int, zone: tzinfo = UTC) -> None:
        self._pools = pools
        self._ids = ids
        self._random = random.Random(seed).random  # noqa: S311
        self._zone = zone

    def generate(self, milliseconds: int, count: int) -> Iterator[GeneratedTransaction]:
        """`count` transactions that all happen at one moment, in milliseconds since 1970.

        An account's rank is squared out of a uniform number: a tenth of all transactions go to one account in a
        hundred. Cubed for amounts: half are below 72, one in eight above 338.
        """
        draw = self._random
        accounts, merchants, types = self._pools.accounts, self._pools.merchants, self._pools.types
        moment = datetime.fromtimestamp(milliseconds // 1000, self._zone)
        event_time = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
        night_risk = 0.15 if moment.hour in NIGHT_HOURS else 0.0
        make = GeneratedTransaction._make
        for transaction_id in self._ids.take(milliseconds, count):
            rank = draw()
            size = draw()
            size = size * size * size
            cents = AMOUNT_MIN_CENTS + int(size * (AMOUNT_MAX_CENTS - AMOUNT_MIN_CENTS + 1))
            merchant = merchants[int(draw() * len(merchants))]
            card_present = draw() < CARD_PRESENT_SHARE
            risk = merchant.risk + night_risk + 0.40 * size + 0.25 * draw() + (0.0 if card_present else 0.20)
            yield make(
                (
                    transaction_id,
                    accounts[int(rank * rank * len(accounts))],
                    types[int(draw() * len(types))],
                    f"{cents / 100:.2f}",
                    event_time,
                    card_present,
                    f"{risk:.2f}" if risk < 0.99 else "0.99",
                    merchant,
                )
            )


def render_message(transaction: GeneratedTransaction) -> bytes:
    """The transaction as the JSON value of a message; only pool values can need escapes, and they are rendered."""
    transaction_id, account_id, transaction_type, amount, event_time, card_present, risk_score, merchant = transaction
    return (
        f'{{"transaction_id":"{transaction_id}","account_id":"{account_id}","transaction_type":"{transaction_type}",'
        f'"amount":{amount},"event_time":"{event_time}",{merchant.json_members},'
        f'"card_present":{"true" if card_present else "false"},"risk_score":{risk_score}}}'
    ).encode()


def generate_day(pools: Pools, day: date, zone: tzinfo, count: int) -> Iterator[GeneratedTransaction]:
    """`count` transactions spread over a day of the zone, in the order of their times; the same for the same day."""
    seed = day.toordinal()
    rng = random.Random(seed)  # noqa: S311
    start, end = (int(bound.timestamp() * 1000) for bound in day_bounds(day, zone))
    generator = TransactionGenerator(pools, TransactionIds(process=rng.getrandbits(PROCESS_BITS)), seed, zone)
    moments = sorted(rng.randrange(start, end) for _ in range(count)) if start < end else []
    for moment in moments:
        yield from generator.generate(moment, 1)
