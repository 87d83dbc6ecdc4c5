"""A Compose project with the agent in it: one resolved project in, another out. Nothing is read or started here."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intercept.containers import network
from intercept.containers.leftovers import LABEL
from intercept.containers.network import Project, listed
from testset.errors import UsageError

AGENT = "rr-agent"
SHELF = "/.rr"
_VOLUME = "rr-shelf"


@dataclass(frozen=True, slots=True)
class Agent:
    """What the agent's service is to be."""

    image: str
    token: str  # of this run of rr
    memory: int  # bytes for the journal


def find_targets(project: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The services that are meant, each once; the only one there is, if no name is given."""
    return list(dict.fromkeys(find_target(project, name) for name in names or (None,)))


def find_target(project: Mapping[str, Any], name: str | None) -> str:
    """The service that is meant: by its own name, or its container's."""
    services: Mapping[str, Any] = project.get("services") or {}
    names = sorted(services)
    if name is None:
        if len(names) == 1:
            return names[0]
        raise UsageError(
            f"Which of the services is the app? The project has {listed(names)}.",
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
        raise UsageError(f"--container-name {name} may be any of {listed(found)}.", remedy="Use a service's name.")
    there = [
        f"{service} ({container})"
        if (container := services[service].get("container_name")) not in (None, service)
        else service
        for service in names
    ]
    raise UsageError(
        f"There is no container or service {name} in the project {own}.", remedy=f"There are: {', '.join(there)}."
    )


def among_others(
    project: Mapping[str, Any], targets: Sequence[str], agent: Agent, environments: Mapping[str, Mapping[str, str]]
) -> Project:
    """The project as it is recorded: everything runs, and the targets live in the agent's network namespace.
    `environments`: what each target gets beside its own."""
    made = copy.deepcopy(dict(project))
    services = made["services"]
    beside = _agent_service(agent, network.joined(project, targets))
    for target in targets:
        _move_in(services[target], agent, environments[target])
        services[target]["depends_on"] = {
            **(services[target].get("depends_on") or {}),
            AGENT: {"condition": "service_started", "required": True},
        }
    for name, other in services.items():
        if name not in targets and other.get("links"):
            other["links"] = [_relinked(link, targets) for link in other["links"]]
        other.pop("profiles", None)
    services[AGENT] = beside
    _with_shelf(made, agent)
    return made


def alone(
    project: Mapping[str, Any],
    targets: Sequence[str],
    agent: Agent,
    environments: Mapping[str, Mapping[str, str]],
    there: frozenset[str],
) -> Project:
    """The targets and their agent alone, in a project of their own, without a network. `there`: volumes that exist."""
    whole = copy.deepcopy(dict(project))
    told = network.joined(project, targets)
    host = targets[0].replace("_", "-")
    made: Project = {
        "name": f"rr-{agent.token}",
        "services": {AGENT: _agent_service(agent, network.alone(told, network.names(project, targets), host))},
    }
    for target in targets:
        service = whole["services"][target]
        for key in ("container_name", "depends_on", "profiles", "restart", "scale"):
            service.pop(key, None)
        if service.get("deploy"):
            service["deploy"].pop("replicas", None)
            service["deploy"].pop("restart_policy", None)
        if service.get("build") and not service.get("image"):
            service["image"] = f"{whole['name']}-{target}"
        service["volumes"] = [one for one in service.get("volumes") or () if not _is_socket(one)]
        _move_in(service, agent, environments[target])
        service["depends_on"] = {AGENT: {"condition": "service_started", "required": True}}
        made["services"][target] = service
    volumes = {
        one["source"]
        for target in targets
        for one in made["services"][target]["volumes"]
        if one.get("type") == "volume" and one.get("source")
    }
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


def _agent_service(agent: Agent, told: Mapping[str, Any]) -> Project:
    return {
        **told,
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
    network.apart(service)
    service["network_mode"] = f"service:{AGENT}"
    service["environment"] = {**(service.get("environment") or {}), **environment}
    service["volumes"] = [*(service.get("volumes") or ()), {"type": "volume", "source": _VOLUME, "target": SHELF}]
    service["labels"] = {**(service.get("labels") or {}), LABEL: agent.token}


def _with_shelf(project: Project, agent: Agent) -> None:
    name = f"rr-shelf-{agent.token}"
    project["volumes"] = {**(project.get("volumes") or {}), _VOLUME: {"name": name, "labels": {LABEL: agent.token}}}


def _relinked(link: str, targets: Sequence[str]) -> str:
    """A link to a target is one to the agent, under the same name."""
    name, _, alias = link.partition(":")
    return f"{AGENT}:{alias or name}" if name in targets else link


def _is_socket(volume: Mapping[str, Any]) -> bool:
    """A socket of the host: a way out."""
    import os
    import stat

    source = volume.get("source") or ""
    try:
        return volume.get("type") == "bind" and stat.S_ISSOCK(os.stat(source).st_mode)
    except OSError:
        return False
