"""What services say about their network, said by one; and what they cannot say together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from intercept.containers.network import check, joined, names
from testset.errors import ContainerError


def project(**services: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "shop", "services": services}


def refusal(*targets: str, **services: Mapping[str, Any]) -> ContainerError:
    with pytest.raises(ContainerError) as caught:
        check(project(**services), targets)
    return caught.value


# -- one ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["host", "none", "container:x", "service:users"])
def test_a_service_without_a_network_of_its_own(mode: str) -> None:
    error = refusal("order", order={"network_mode": mode}, users={})
    assert f"order has `network_mode: {mode}`" in str(error)
    assert "a second file with -f" in error.remedy


def test_a_service_whose_network_another_shares() -> None:
    error = refusal("order", order={}, sidecar={"network_mode": "service:order"})
    assert "sidecar shares the network of order" in str(error)
    assert "--container-name order --container-name sidecar" in error.remedy


def test_a_service_that_is_to_run_several_times() -> None:
    assert "order is to run 3 times" in str(refusal("order", order={"scale": 3}))
    assert "order is to run 2 times" in str(refusal("order", order={"deploy": {"replicas": 2}}))


def test_a_service_is_called_by_all_of_its_names() -> None:
    given = project(
        order={"container_name": "o", "hostname": "h", "networks": {"a": {"aliases": ["x", "y"]}, "b": None}}
    )
    assert names(given, ["order"]) == {"order", "o", "h", "x", "y"}


# -- several -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ({"ports": [{"target": 80, "published": "1"}]}, {"ports": [{"target": 80, "published": "2"}]},
         "both listen on port 80"),
        ({"expose": ["80"]}, {"ports": [{"target": 80, "protocol": "tcp"}]}, "both listen on port 80"),
        ({"networks": {"n": {"ipv4_address": "10.0.0.1"}}}, {"networks": {"n": {"ipv4_address": "10.0.0.2"}}},
         "`ipv4_address` in the network n"),
        ({"dns": ["10.0.0.1"]}, {"dns": ["10.0.0.2"]}, "`dns`"),
        ({"sysctls": {"net.core.somaxconn": "1"}}, {"sysctls": {"net.core.somaxconn": "2"}}, "`net.core.somaxconn`"),
        ({"mac_address": "02:00:00:00:00:01"}, {"mac_address": "02:00:00:00:00:02"}, "`mac_address`"),
        ({"network_mode": "bridge"}, {}, "one is in Docker's own bridge"),
    ],
)  # fmt: skip
def test_what_two_services_cannot_both_have(one: dict[str, Any], other: dict[str, Any], why: str) -> None:
    error = refusal("a", "b", a=one, b=other)
    assert str(error).startswith("a and b cannot be one app, with one network: ")
    assert why in str(error)
    assert error.remedy.startswith("Let ")
    check(project(a=one, b=other), ["a"])
    check(project(a=one, b=other), ["b"])


@pytest.mark.parametrize(
    ("one", "other", "key", "said"),
    [
        ({"ports": [{"target": 80}, {"target": 80, "published": "9"}]}, {"ports": [{"target": 81}]}, "ports",
         [{"target": 80}, {"target": 80, "published": "9"}, {"target": 81}]),
        ({"expose": ["80"]}, {"ports": [{"target": 80, "protocol": "udp"}]}, "expose", ["80"]),
        ({"dns": ["10.0.0.1"]}, {"dns": ["10.0.0.1"]}, "dns", ["10.0.0.1"]),
        ({}, {"dns": ["10.0.0.1"]}, "dns", ["10.0.0.1"]),
        ({"sysctls": {"net.core.somaxconn": "1"}}, {"sysctls": {"net.ipv4.ip_forward": "1", "kernel.shmmax": "1"}},
         "sysctls", {"net.core.somaxconn": "1", "net.ipv4.ip_forward": "1"}),
        ({"hostname": "one"}, {"hostname": "other"}, "hostname", "one"),
        ({"hostname": "one"}, {"hostname": "other"}, "extra_hosts", ["other=127.0.0.1"]),
        ({"extra_hosts": ["x=10.0.0.1"]}, {"extra_hosts": ["x=10.0.0.1", "y=10.0.0.2"]}, "extra_hosts",
         ["x=10.0.0.1", "y=10.0.0.2"]),
        ({"network_mode": "bridge"}, {"network_mode": "bridge"}, "network_mode", "bridge"),
        ({"networks": {"n": {"ipv4_address": "10.0.0.1"}}}, {"networks": {"n": None}}, "networks",
         {"n": {"ipv4_address": "10.0.0.1", "aliases": ["a", "b"]}}),
        ({}, {"network_mode": "service:a"}, "networks", {"default": {"aliases": ["a"]}}),
        ({"links": ["b:bee", "db"]}, {"links": ["a"]}, "extra_hosts", ["bee=127.0.0.1", "a=127.0.0.1"]),
        ({"links": ["b:bee", "db"]}, {"links": ["db"]}, "links", ["db"]),
    ],
)  # fmt: skip
def test_what_two_services_say_together(one: dict[str, Any], other: dict[str, Any], key: str, said: Any) -> None:
    check(project(a=one, b=other), ["a", "b"])
    assert joined(project(a=one, b=other), ["a", "b"])[key] == said
