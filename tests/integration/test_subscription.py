"""Membership in the group against a real broker."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from lambda_app.broker.subscription import Subscription
from lambda_app.settings import Settings
from tests.support.kafka_server import KafkaServer
from tests.support.processes import wait_until


@contextmanager
def polling(subscription: Subscription) -> Iterator[None]:
    """Polls in the background while the block runs."""
    is_over = threading.Event()

    def poll() -> None:
        while not is_over.is_set():
            subscription.poll(0.1, 1)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_subscription_sees_a_join_through_that_outlasts_its_poll(kafka: KafkaServer, topic: str) -> None:
    config = Settings(kafka.bootstrap_servers, topic, kafka_group=f"group-of-{topic}")
    with closing(Subscription(config, "leader")) as leader, closing(Subscription(config, "other")) as other:
        coordinator = leader._consumer._coordinator
        wait_until(lambda: leader.poll(0.1, 1) == [] and leader.assigned(), what="the leader to join")
        with polling(leader), polling(other):
            wait_until(lambda: leader.joined() and other.assigned(), what="the other to join")
        with kafka.admin() as admin:
            admin.create_partitions({topic: 8})
        leader._consumer._cluster.request_update()
        # Kafka answers the leader when the other has sent its request too: between two polls of the leader.
        wait_until(lambda: leader.poll(0.01, 1) == [] and coordinator.rejoining, what="the leader to join again")
        with polling(other):
            wait_until(lambda: coordinator._join_task.is_done, what="Kafka's answer")

            wait_until(lambda: leader.poll(0.01, 1) == [] and leader.joined(), 5, "the leader to notice")

            assert not coordinator.rejoining
            assert coordinator._heartbeat_enabled
