"""A Compose project with the agent in it: one resolved project in, another out. Nothing is read or started here."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intercept.containers.leftovers import LABEL
from testset.errors import ContainerError, UsageError

AGENT = "rr-agent"
SHELF = "/.rr"
_VOLUME = "rr-shelf"
# What a service says about its network: with the agent's namespace it is the agent's to say.
_NETWORK = (
    "networks", "ports", "expose", "hostname", "domainname", "dns", "dns_search", "dns_opt", "extra_hosts", "links",
    "external_links", "mac_address",
)  # fmt: skip

Project = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Agent:
    """What the agent's service is to be."""

    image: str
    token: str  # of this run of rr
    memory: int  # bytes for the journal


def find_target(project: Mapping[str, Any], name: str | None) -> str:
    """The service that is meant: by its own name, or its container's."""
    services: Mapping[str, Any] = project.get("services") or {}
    names = sorted(services)
    if name is None:
        if len(names) == 1:
            return names[0]
        raise UsageError(
            f"Which of the services is the app? The project has {_listed(names)}.",
            remedy=f"Name it: --container-name {names[0] if names else 'NAME'}.",
        )
    if name in services:
        return name
    own = project.get("name", "")
    found = [
        service
        for service in names
        if name in (services[service].get("container_name"), f"{own}-{service}-1", f"{own}_{service}_1")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"--container-name {name} may be any of {_listed(found)}.", remedy="Use a service's name.")
    there = [
        f"{service} ({container})"
        if (container := services[service].get("container_name")) not in (None, service)
        else service
        for service in names
    ]
    raise UsageError(
        f"There is no container or service {name} in the project {own}.", remedy=f"There are: {', '.join(there)}."
    )


def check(project: Mapping[str, Any], target: str) -> None:
    """Raises `ContainerError` for a target whose network the agent cannot take over."""
    service = project["services"][target]
    mode = service.get("network_mode")
    if mode and mode not in ("bridge", "default"):
        raise ContainerError(
            f"{target} has `network_mode: {mode}`: it has no network of its own that rr could stand at the edge of.",
            remedy="Give it a network of its own for the recording (a second file with -f that sets it), or start the "
            'app without Docker: rr record -c "python app.py".',
        )
    sharing = [name for name, one in project["services"].items() if one.get("network_mode") == f"service:{target}"]
    if sharing:
        raise ContainerError(
            f"{_listed(sharing)} shares the network of {target}: rr could not tell them apart.",
            remedy=f"Give {sharing[0]} a network of its own for the recording (a second file with -f that sets it).",
        )
    scale = service.get("scale") or (service.get("deploy") or {}).get("replicas") or 1
    if scale != 1:
        raise ContainerError(
            f"{target} is to run {scale} times: rr records one.", remedy=f"Run it with --scale {target}=1."
        )


def among_others(project: Mapping[str, Any], target: str, agent: Agent, environment: Mapping[str, str]) -> Project:
    """The project as it is recorded: everything runs, and the target lives in the agent's network namespace.
    `environment`: what the target gets beside its own."""
    made = copy.deepcopy(dict(project))
    services = made["services"]
    service = services[target]
    networks = dict(service.get("networks") or {"default": None})
    names = [name for name in (target, service.get("container_name")) if name]
    for name, one in networks.items():
        one = dict(one or {})
        one["aliases"] = list(dict.fromkeys([*names, *(one.get("aliases") or ())]))
        networks[name] = one
    beside = _agent_service(agent, {key: service.pop(key) for key in _NETWORK if key in service})
    if service.pop("network_mode", None):
        beside.pop("networks", None)
        beside["network_mode"] = "bridge"
    else:
        beside["networks"] = networks
    beside |= _sysctls(service)
    _move_in(service, agent, environment)
    service["depends_on"] = {
        **(service.get("depends_on") or {}),
        AGENT: {"condition": "service_started", "required": True},
    }
    for name, other in services.items():
        if name != target and other.get("links"):
            other["links"] = [_relinked(link, target) for link in other["links"]]
        other.pop("profiles", None)
    services[AGENT] = beside
    _with_shelf(made, agent)
    return made


def alone(
    project: Mapping[str, Any], target: str, agent: Agent, environment: Mapping[str, str], there: frozenset[str]
) -> Project:
    """The target and its agent alone, in a project of their own, without a network. `there`: volumes that exist."""
    whole = copy.deepcopy(dict(project))
    service = whole["services"][target]
    taken = {key: service.pop(key) for key in _NETWORK if key in service}
    for key in ("networks", "ports", "expose", "links", "external_links", "mac_address"):
        taken.pop(key, None)
    for key in ("container_name", "depends_on", "network_mode", "profiles", "restart", "scale"):
        service.pop(key, None)
    if service.get("deploy"):
        service["deploy"].pop("replicas", None)
        service["deploy"].pop("restart_policy", None)
    if service.get("build") and not service.get("image"):
        service["image"] = f"{whole['name']}-{target}"
    beside = _agent_service(agent, taken)
    beside["network_mode"] = "none"
    beside.setdefault("hostname", target.replace("_", "-"))
    beside["extra_hosts"] = [*_hosts(taken.get("extra_hosts")), f"{beside['hostname']}=127.0.0.1"]
    _sysctls(service)
    service["volumes"] = [one for one in service.get("volumes") or () if not _is_socket(one)]
    _move_in(service, agent, environment)
    service["depends_on"] = {AGENT: {"condition": "service_started", "required": True}}
    volumes = {one["source"] for one in service["volumes"] if one.get("type") == "volume" and one.get("source")}
    made: Project = {"name": f"rr-{agent.token}", "services": {target: service, AGENT: beside}}
    known = whole.get("volumes") or {}
    made["volumes"] = {
        name: {"name": known[name]["name"], "external": True}
        if (known.get(name) or {}).get("name") in there
        else {"labels": {LABEL: agent.token}}
        for name in volumes
        if name in known
    }
    for key in ("secrets", "configs"):
        if whole.get(key):
            made[key] = whole[key]
    _with_shelf(made, agent)
    return made


def _agent_service(agent: Agent, taken: Mapping[str, Any]) -> Project:
    return {
        **{key: value for key, value in taken.items() if key != "networks"},
        "image": agent.image,
        "command": ["wait"],
        "pull_policy": "never",
        "user": "0",
        "cap_drop": ["ALL"],
        "cap_add": ["NET_ADMIN", "SETUID", "SETGID"],
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        "shm_size": str(agent.memory + (64 << 20)),
        "restart": "no",
        "attach": False,
        "stop_grace_period": "15s",
        "labels": {LABEL: agent.token},
        "volumes": [{"type": "volume", "source": _VOLUME, "target": SHELF}],
    }


def _move_in(service: Project, agent: Agent, environment: Mapping[str, str]) -> None:
    service["network_mode"] = f"service:{AGENT}"
    service["environment"] = {**(service.get("environment") or {}), **environment}
    service["volumes"] = [*(service.get("volumes") or ()), {"type": "volume", "source": _VOLUME, "target": SHELF}]
    service["labels"] = {**(service.get("labels") or {}), LABEL: agent.token}


def _with_shelf(project: Project, agent: Agent) -> None:
    name = f"rr-shelf-{agent.token}"
    project["volumes"] = {**(project.get("volumes") or {}), _VOLUME: {"name": name, "labels": {LABEL: agent.token}}}


def _sysctls(service: Project) -> Project:
    """Settings of the network namespace are the agent's; the others stay."""
    found = service.get("sysctls") or {}
    ours = {name: value for name, value in found.items() if name.startswith("net.")}
    rest = {name: value for name, value in found.items() if name not in ours}
    service.pop("sysctls", None)
    if rest:
        service["sysctls"] = rest
    return {"sysctls": ours} if ours else {}


def _hosts(given: Any) -> list[str]:
    """`extra_hosts`, which Compose writes as a list of name=address."""
    if isinstance(given, Mapping):
        return [f"{name}={one}" for name, ones in given.items() for one in (ones if isinstance(ones, list) else [ones])]
    return list(given or ())


def _relinked(link: str, target: str) -> str:
    """A link to the target is one to the agent, under the same name."""
    name, _, alias = link.partition(":")
    return f"{AGENT}:{alias or name}" if name == target else link


def _is_socket(volume: Mapping[str, Any]) -> bool:
    """A socket of the host: a way out."""
    import os
    import stat

    source = volume.get("source") or ""
    try:
        return volume.get("type") == "bind" and stat.S_ISSOCK(os.stat(source).st_mode)
    except OSError:
        return False


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names) or "no services"
