"""The list of hosts: who this host is, and where the others may be asked."""

import json

import pytest

from lambda_app.core.operate.hosts import Host, Hosts, has, metrics_endpoint, parse_hosts, prometheus_endpoint
from lambda_app.errors import InvalidConfiguration
from tests.support.components import TABLE

ROWS = {row.name: row for row in TABLE}
HOSTS = Hosts("a", {"a": Host(groups=("batch",)), "b": Host("10.0.0.2", ("kafka", "monitoring")), "c": Host()})


def test_list_that_ansible_writes_is_read():
    rows = {"a": {"metrics_address": "10.0.0.1", "groups": ["kafka"]}, "b": {"groups": []}}

    hosts = parse_hosts(json.dumps({"here": "a", "hosts": rows, "prometheus_address": "10.0.0.1"}))

    assert hosts == Hosts("a", {"a": Host("10.0.0.1", ("kafka",)), "b": Host()}, "10.0.0.1")
    assert list(hosts.others()) == ["b"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Input data was truncated"),
        ('{"here": "a"}', "missing required field `hosts`"),
        ('{"here": "a", "hosts": {}}', "it lacks a, this host"),
    ],
)
def test_what_is_no_list_is_refused(text, reason):
    with pytest.raises(InvalidConfiguration, match=r"^The list of hosts cannot be read: ") as refused:
        parse_hosts(text)

    assert reason in str(refused.value)


def test_host_has_what_its_groups_have_and_what_all_have():
    assert [has(HOSTS.hosts["b"], ROWS[name]) for name in ("kafka", "lambda-consumer", "lambda-metrics")] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("address", "here", "there"),
    [
        ("10.0.0.2", "10.0.0.2:9110", "10.0.0.2:9110"),
        ("fd00::2", "[fd00::2]:9110", "[fd00::2]:9110"),
        # Another host's loopback is not ours.
        ("127.0.0.1", "127.0.0.1:9110", None),
        ("localhost", "localhost:9110", None),
        ("::1", "[::1]:9110", None),
        # It listens everywhere: here too.
        ("0.0.0.0", "127.0.0.1:9110", None),
    ],
)
def test_metrics_are_where_the_host_listens(address, here, there):
    hosts = Hosts("a", {"a": Host(address), "b": Host(address)})

    assert metrics_endpoint(hosts, "a", ROWS["lambda-metrics"]) == here
    assert metrics_endpoint(hosts, "b", ROWS["lambda-metrics"]) == there


def test_component_without_a_port_has_no_metrics():
    assert metrics_endpoint(HOSTS, "a", ROWS["lambda-pgadmin"]) is None


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (HOSTS, ("b", None)),
        (Hosts("b", HOSTS.hosts), ("b", "127.0.0.1:9090")),
        (Hosts("a", HOSTS.hosts, "10.0.0.2"), ("b", "10.0.0.2:9090")),
        (Hosts("a", {"a": Host()}), (None, None)),
    ],
)
def test_prometheus_is_on_the_host_of_the_group_monitoring(hosts, expected):
    assert prometheus_endpoint(hosts, TABLE) == expected
