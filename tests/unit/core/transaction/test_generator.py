"""The generated transactions: the same for a seed, within their bounds, and shaped like a card business."""

import json
from collections import Counter
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from lambda_app.core.transaction.generator import (
    ACCOUNTS,
    CATEGORIES,
    TRANSACTION_TYPES,
    Pools,
    TransactionGenerator,
    draw_pools,
    generate_day,
    render_message,
)
from lambda_app.core.transaction.identifiers import TransactionIds

NOON = 1_795_521_600_250
MIDNIGHT = NOON - 12 * 3600 * 1000


@pytest.fixture(scope="module")
def pools() -> Pools:
    return draw_pools()


def generate(pools: Pools, moment: int, count: int, seed: int = 1):
    return list(TransactionGenerator(pools, TransactionIds(process=1), seed).generate(moment, count))


def test_same_seed_gives_the_same_transactions(pools):
    assert generate(pools, NOON, 50) == generate(draw_pools(), NOON, 50)
    assert generate(pools, NOON, 50) != generate(pools, NOON, 50, seed=2)


def test_population_is_ten_thousand_accounts_once_each(pools):
    assert len(set(pools.accounts)) == ACCOUNTS


def test_message_holds_every_field_with_its_type(pools):
    [transaction] = generate(pools, NOON, 1)

    message = json.loads(render_message(transaction))

    assert {name: type(value) for name, value in message.items()} == {
        "transaction_id": str,
        "account_id": str,
        "transaction_type": str,
        "amount": float,
        "event_time": str,
        "merchant_category": str,
        "location": str,
        "merchant_name": str,
        "card_present": bool,
        "risk_score": float,
    }
    assert datetime.fromisoformat(message["event_time"]) == datetime.fromtimestamp(NOON / 1000, UTC)


def test_values_stay_within_their_bounds(pools):
    messages = [json.loads(render_message(each)) for each in generate(pools, MIDNIGHT, 20_000)]

    assert {each["transaction_type"] for each in messages} == set(TRANSACTION_TYPES)
    assert {each["merchant_category"] for each in messages} == set(CATEGORIES)
    assert all(10 <= each["amount"] <= 500 and round(each["amount"], 2) == each["amount"] for each in messages)
    assert all(0 <= each["risk_score"] <= 0.99 for each in messages)
    assert all(each["location"][-4:-2] == ", " and each["location"][-2:].isupper() for each in messages)


def test_amounts_have_a_long_tail(pools):
    amounts = sorted(float(each.amount) for each in generate(pools, NOON, 20_000))

    assert amounts[10_000] < 80
    assert sum(amounts) / len(amounts) > 1.5 * amounts[10_000]
    assert amounts[-20] > 490


def test_few_accounts_are_busy_and_most_appear(pools):
    visits = Counter(each.account_id for each in generate(pools, NOON, 50_000))

    busiest = sum(count for _, count in visits.most_common(ACCOUNTS // 100))
    assert 0.08 < busiest / 50_000 < 0.12
    assert len(visits) > 0.7 * ACCOUNTS


def test_risk_rises_with_night_amount_absence_and_category(pools):
    day, night = generate(pools, NOON, 20_000), generate(pools, MIDNIGHT, 20_000)

    def mean_risk(chosen):
        scores = [float(each.risk_score) for each in chosen]
        return sum(scores) / len(scores)

    assert mean_risk(night) > mean_risk(day) + 0.1
    assert mean_risk(e for e in day if float(e.amount) > 300) > mean_risk(e for e in day if float(e.amount) < 50) + 0.2
    assert mean_risk(e for e in day if not e.card_present) > mean_risk(e for e in day if e.card_present) + 0.15
    assert mean_risk(e for e in day if e.merchant.category == "electronics") > mean_risk(
        e for e in day if e.merchant.category == "grocery"
    )
    high_risk = sum(float(each.risk_score) >= 0.8 for each in day) / len(day)
    assert 0.001 < high_risk < 0.05


@pytest.mark.parametrize("zone", ["UTC", "Africa/Cairo", "Pacific/Apia"])
def test_transactions_of_a_day_lie_in_it_and_are_the_same_each_time(pools, zone):
    day = date(2026, 4, 24)

    transactions = list(generate_day(pools, day, ZoneInfo(zone), 1000))

    times = [datetime.fromisoformat(each.event_time) for each in transactions]
    assert {time.astimezone(ZoneInfo(zone)).date() for time in times} == {day}
    assert times == sorted(times)
    assert len({each.transaction_id for each in transactions}) == 1000
    assert transactions == list(generate_day(pools, day, ZoneInfo(zone), 1000))


def test_day_that_a_zone_skipped_has_no_transactions(pools):
    assert list(generate_day(pools, date(2011, 12, 30), ZoneInfo("Pacific/Apia"), 1000)) == []


def test_days_share_no_transaction_id(pools):
    days = [generate_day(pools, date(2026, 11, number), ZoneInfo("UTC"), 1000) for number in range(1, 11)]

    assert len({each.transaction_id for day in days for each in day}) == 10_000
