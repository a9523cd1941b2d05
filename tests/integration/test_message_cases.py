"""The cases of tests/cases/messages.jsonl through Kafka: each ends where its line says."""

from tests.cases.message_cases import message_cases
from tests.support.consumer_process import ConsumerProcess
from tests.support.fixtures import Database
from tests.support.kafka_server import KafkaServer
from tests.support.load import wait_for_offsets


def test_each_case_is_a_transaction_or_a_dead_letter(database: Database, kafka: KafkaServer, topic: str) -> None:
    cases = message_cases()
    with ConsumerProcess(database.environment, kafka.bootstrap_servers, topic) as consumer:
        consumer.wait_until_ready()
        kafka.produce(topic, [case.value for case in cases], partition=0)
        wait_for_offsets(database, len(cases))

    letters = dict(database.query('SELECT "offset", reason FROM lambda.dead_letters'))
    assert letters == {offset: case.reason for offset, case in enumerate(cases) if case.reason}
    valid = [case for case in cases if case.expect]
    assert database.count("transactions") == len(valid)
    for case in valid:
        found = database.query(
            f"SELECT {', '.join(case.expect)} FROM lambda.transactions"
            f" WHERE transaction_id = '{case.expect['transaction_id']}'"
        )
        assert found == [tuple(case.expect.values())], case
