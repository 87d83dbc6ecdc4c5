"""A Compose project, as `docker compose config` resolves it, and what rr makes of it."""

from __future__ import annotations

import copy
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from intercept.containers import compose
from intercept.containers.compose import AGENT, Agent, find_target, find_targets
from testset.errors import UsageError

AN_AGENT = Agent("rr-agent:1", "cafe", 1 << 20)


def project(**services: dict[str, Any]) -> dict[str, Any]:
    return {"name": "shop", "services": {name: {"image": name, **one} for name, one in services.items()}}


def recorded(given: dict[str, Any], *targets: str) -> dict[str, Any]:
    before = copy.deepcopy(given)
    environments = {target: {"TRUST": target} for target in targets}
    made = compose.among_others(given, targets, AN_AGENT, environments)
    assert given == before, "the user's project is not to be changed"
    return made["services"]  # type: ignore[no-any-return]


def replayed(given: dict[str, Any], *targets: str, there: frozenset[str] = frozenset()) -> dict[str, Any]:
    before = copy.deepcopy(given)
    made = compose.alone(given, targets, AN_AGENT, {target: {"TRUST": target} for target in targets}, there)
    assert given == before, "the user's project is not to be changed"
    return made


# -- who is meant ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["order", "order_service", "shop-order-1", "shop_order_1"])
def test_a_service_is_found_by_its_name_and_its_containers(name: str) -> None:
    assert find_target(project(users={}, order={"container_name": "order_service"}), name) == "order"


def test_the_only_service_needs_no_name() -> None:
    assert find_target(project(order={}), None) == "order"
    with pytest.raises(UsageError, match=re.escape("The project has order and users.")):
        find_target(project(users={}, order={}), None)


def test_a_services_name_comes_before_anothers_container() -> None:
    assert find_target(project(order={}, other={"container_name": "order"}), "order") == "order"


def test_a_name_that_two_containers_match() -> None:
    twice = project(a={"container_name": "api"}, b={"container_name": "api"})
    with pytest.raises(UsageError, match=re.escape("--container-name api may be any of a and b.")) as caught:
        find_target(twice, "api")
    assert caught.value.remedy == "Use a service's name."
    assert find_target(twice, "b") == "b"


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(UsageError, match=re.escape("no container or service orders in the project shop")) as caught:
        find_target(project(users={}, order={"container_name": "order_service"}), "orders")
    assert caught.value.remedy == "There are: order (order_service), users."


def test_several_names_are_several_services_each_once() -> None:
    given = project(users={}, order={"container_name": "order_service"})
    assert find_targets(given, ["users", "order_service", "order"]) == ["users", "order"]
    assert find_targets(project(order={}), []) == ["order"]


# -- the recording -----------------------------------------------------------------------------------------------


def test_the_agent_takes_what_the_target_says_of_its_network_and_the_target_keeps_the_rest() -> None:
    said = {
        "networks": {"front": {"aliases": ["orders.shop"], "ipv4_address": "10.0.0.5"}, "back": None},
        "ports": [{"target": 8080, "published": "80"}], "hostname": "orders", "dns": ["10.0.0.2"],
        "extra_hosts": ["old=10.0.0.9"], "sysctls": {"net.core.somaxconn": "9", "kernel.shmmax": "1"},
    }  # fmt: skip
    kept = {
        "command": ["run"], "user": "1000", "restart": "always", "healthcheck": {"test": ["CMD", "x"]},
        "cap_drop": ["ALL"], "labels": {"a": "b"}, "environment": {"PORT": "8080"}, "volumes": [{"type": "tmpfs"}],
    }  # fmt: skip
    services = recorded(project(users={}, order={**said, **kept, "container_name": "order_service"}), "order")
    agent, order = services[AGENT], services["order"]
    assert agent["networks"] == {
        "front": {"aliases": ["order", "order_service", "orders.shop"], "ipv4_address": "10.0.0.5"},
        "back": {"aliases": ["order", "order_service"]},
    }
    for key in ("ports", "hostname", "dns", "extra_hosts"):
        assert agent[key] == said[key]
        assert key not in order
    assert "networks" not in order
    assert (agent["sysctls"], order["sysctls"]) == ({"net.core.somaxconn": "9"}, {"kernel.shmmax": "1"})
    assert order["network_mode"] == f"service:{AGENT}"
    assert order["environment"] == {"PORT": "8080", "TRUST": "order"}
    assert [one["type"] for one in order["volumes"]] == ["tmpfs", "volume"]
    for key in ("command", "user", "restart", "healthcheck", "cap_drop", "container_name"):
        assert order[key] == {**kept, "container_name": "order_service"}[key]
    assert order["labels"]["a"] == "b"


def test_the_agent_may_do_little_and_ends_with_the_project() -> None:
    agent = recorded(project(order={}), "order")[AGENT]
    assert agent["cap_drop"] == ["ALL"]
    assert agent["cap_add"] == ["NET_ADMIN", "SETUID", "SETGID"]
    assert agent["read_only"] is True
    assert (agent["restart"], agent["attach"], agent["labels"]) == ("no", False, {"dev.rr.session": "cafe"})


def test_a_target_without_networks_is_in_the_default_one() -> None:
    assert recorded(project(order={}), "order")[AGENT]["networks"] == {"default": {"aliases": ["order"]}}
    assert recorded(project(order={"network_mode": "bridge"}), "order")[AGENT]["network_mode"] == "bridge"


def test_the_target_starts_after_the_agent_and_others_as_ever() -> None:
    services = recorded(
        project(
            users={}, order={"depends_on": {"users": {"condition": "service_healthy"}}}, gateway={"links": ["order:o"]}
        ),
        "order",
    )
    assert services["order"]["depends_on"]["users"] == {"condition": "service_healthy"}
    assert services["order"]["depends_on"][AGENT]["condition"] == "service_started"
    assert services["gateway"]["links"] == [f"{AGENT}:o"]


def test_several_targets_live_with_one_agent() -> None:
    services = recorded(
        project(
            users={},
            order={"networks": {"front": None}, "ports": [{"target": 8080}], "links": ["price:cost", "users"]},
            price={"networks": {"front": {"aliases": ["costs"]}, "back": None}, "expose": ["8070"]},
        ),
        "order",
        "price",
    )
    agent = services[AGENT]
    assert agent["networks"] == {
        "front": {"aliases": ["order", "price", "costs"]},
        "back": {"aliases": ["price"]},
    }
    assert (agent["ports"], agent["expose"], agent["links"]) == ([{"target": 8080}], ["8070"], ["users"])
    assert agent["extra_hosts"] == ["cost=127.0.0.1"]
    for name in ("order", "price"):
        assert services[name]["network_mode"] == f"service:{AGENT}"
        assert services[name]["environment"] == {"TRUST": name}
        assert AGENT in services[name]["depends_on"]


# -- the replay --------------------------------------------------------------------------------------------------


def test_alone_the_target_has_no_network_and_what_names_others_is_gone() -> None:
    made = replayed(
        project(
            users={},
            order={
                "container_name": "order_service", "depends_on": {"users": {}}, "restart": "always",
                "ports": [{"target": 8080}], "networks": {"front": {"aliases": ["orders"]}},
                "deploy": {"replicas": 1, "restart_policy": {}, "resources": {"limits": {"memory": "1g"}}},
                "profiles": ["all"], "extra_hosts": ["old=10.0.0.9"], "sysctls": {"net.core.somaxconn": "9"},
            },
        ),
        "order",
    )  # fmt: skip
    assert made["name"] == "rr-cafe"
    assert set(made["services"]) == {"order", AGENT}
    agent, order = made["services"][AGENT], made["services"]["order"]
    assert agent["network_mode"] == "none"
    assert not {"networks", "ports", "expose", "links", "sysctls"} & set(agent)
    assert agent["extra_hosts"] == [
        "old=10.0.0.9", "order=127.0.0.1", "order_service=127.0.0.1", "orders=127.0.0.1",
    ]  # fmt: skip
    assert not {"container_name", "restart", "profiles", "ports", "networks", "sysctls"} & set(order)
    assert order["deploy"] == {"resources": {"limits": {"memory": "1g"}}}
    assert list(order["depends_on"]) == [AGENT]


def test_alone_the_image_is_that_of_the_project() -> None:
    made = replayed({"name": "shop", "services": {"order": {"build": {"context": "."}}}}, "order")
    assert made["services"]["order"]["image"] == "shop-order"


def test_alone_volumes_that_exist_are_used_and_sockets_of_this_machine_are_not(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    given = project(
        order={
            "volumes": [
                {"type": "volume", "source": "data", "target": "/data"},
                {"type": "volume", "source": "cache", "target": "/cache"},
                {"type": "bind", "source": str(path), "target": "/var/run/docker.sock"},
                {"type": "bind", "source": str(tmp_path), "target": "/src"},
            ]
        }
    )
    given["volumes"] = {"data": {"name": "shop_data"}, "cache": {"name": "shop_cache"}, "other": {"name": "x"}}
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        made = replayed(given, "order", there=frozenset({"shop_data"}))
    assert [one["target"] for one in made["services"]["order"]["volumes"]] == ["/data", "/cache", "/src", "/.rr"]
    assert made["volumes"]["data"] == {"name": "shop_data", "external": True}
    assert made["volumes"]["cache"] == {"labels": {"dev.rr.session": "cafe"}}
    assert "other" not in made["volumes"]


def test_alone_several_targets_know_each_other() -> None:
    made = replayed(project(users={}, order={"links": ["price:cost"]}, price={"hostname": "pricing"}), "order", "price")
    assert set(made["services"]) == {"order", "price", AGENT}
    agent = made["services"][AGENT]
    assert agent["hostname"] == "pricing"
    assert agent["extra_hosts"] == [
        "cost=127.0.0.1", "order=127.0.0.1", "price=127.0.0.1", "pricing=127.0.0.1",
    ]  # fmt: skip
