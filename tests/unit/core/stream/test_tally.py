"""The producer's metrics."""

from lambda_app.core.stream.tally import Tally, producer_samples


def test_samples_say_what_became_of_the_records() -> None:
    seen = {sample.metric.name: sample.value for sample in producer_samples(Tally(9, 5, 1, 2), outstanding=3)}

    assert seen == {
        "lambda_producer_sent_total": 9,
        "lambda_producer_acknowledged_total": 5,
        "lambda_producer_lost_total": 1,
        "lambda_producer_outstanding_records": 3,
        "lambda_producer_retries_total": 2,
    }
