"""What services of a Compose project say about their network, made one: the agent, whose network they share, says it.

Pure. What they say to each other stays inside their network, and what two of them cannot both have is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from testset.errors import ContainerError

# Said once for a network: by the agent.
TAKEN = (
    "networks", "network_mode", "ports", "expose", "hostname", "domainname", "dns", "dns_search", "dns_opt",
    "extra_hosts", "links", "external_links", "mac_address",
)  # fmt: skip
_ONCE = ("domainname", "dns", "dns_search", "dns_opt", "mac_address")  # who says it says the same
_HERE = "127.0.0.1"
_PLAIN = (None, "bridge", "default")

Project = dict[str, Any]


def check(project: Mapping[str, Any], targets: Sequence[str]) -> None:
    """Raises `ContainerError` for services whose network the agent cannot take over, or not together."""
    services = project["services"]
    theirs = [f"service:{target}" for target in targets]
    for target in targets:
        mode = services[target].get("network_mode")
        if mode not in _PLAIN and mode not in theirs:
            raise ContainerError(
                f"{target} has `network_mode: {mode}`: it has no network of its own that rr could stand at the edge "
                "of.",
                remedy="Give it a network of its own for the recording (a second file with -f that sets it), or start "
                'the app without Docker: rr record -c "python app.py".',
            )
        scale = services[target].get("scale") or (services[target].get("deploy") or {}).get("replicas") or 1
        if scale != 1:
            raise ContainerError(
                f"{target} is to run {scale} times: rr records one.", remedy=f"Run it with --scale {target}=1."
            )
    sharing = [name for name, one in services.items() if one.get("network_mode") in theirs and name not in targets]
    if sharing:
        other = services[sharing[0]]["network_mode"].removeprefix("service:")
        raise ContainerError(
            f"{listed(sharing)} shares the network of {other}: rr could not tell them apart.",
            remedy=f"Name it as well, and both are one app: --container-name {other} --container-name {sharing[0]}; or "
            f"give {sharing[0]} a network of its own for the recording (a second file with -f that sets it).",
        )
    joined(project, targets)


def names(project: Mapping[str, Any], targets: Sequence[str]) -> frozenset[str]:
    """What the services are called in their networks."""
    found = set[str]()
    for target in targets:
        service = project["services"][target]
        found |= {name for name in (target, service.get("container_name"), service.get("hostname")) if name}
        for one in (service.get("networks") or {}).values():
            found.update((one or {}).get("aliases") or ())
    return frozenset(found)


def joined(project: Mapping[str, Any], targets: Sequence[str]) -> Project:
    """What one service would say in place of these. Raises `ContainerError` for what cannot be said together."""
    services = {target: project["services"][target] for target in targets}
    made: Project = {}
    bridged = [name for name, one in services.items() if one.get("network_mode") in ("bridge", "default")]
    sharing = [name for name, one in services.items() if one.get("network_mode") not in _PLAIN]
    if bridged and len(bridged) + len(sharing) != len(services):
        other = next(name for name in services if name not in (*bridged, *sharing))
        raise _apart(bridged[0], other, "one is in Docker's own bridge, the other in networks of the project")
    if bridged:
        made["network_mode"] = "bridge"
    else:
        made["networks"] = _networks({name: one for name, one in services.items() if name not in sharing})
    _check_ports(services)
    for key in ("ports", "expose", "links", "external_links"):
        found = [one for service in services.values() for one in service.get(key) or ()]
        if found:
            made[key] = [one for at, one in enumerate(found) if one not in found[:at]]
    for key in _ONCE:
        value = _agreed({name: one.get(key) for name, one in services.items()}, f"`{key}`")
        if value:
            made[key] = value
    hosts = list(dict.fromkeys(host for one in services.values() for host in _hosts(one.get("extra_hosts"))))
    hostnames = [one["hostname"] for one in services.values() if one.get("hostname")]
    if hostnames:
        made["hostname"] = hostnames[0]
        hosts += [f"{name}={_HERE}" for name in hostnames[1:] if name != hostnames[0]]
    inside, outside = _links(made.pop("links", ()), targets)
    if outside:
        made["links"] = outside
    hosts += [f"{name}={_HERE}" for name in inside]
    if hosts:
        made["extra_hosts"] = hosts
    settings = _settings(services)
    if settings:
        made["sysctls"] = settings
    return made


def alone(told: Mapping[str, Any], own: frozenset[str], host: str) -> Project:
    """The same without any network. `own`: names by which the services call themselves; `host`: the host's name if none
    was said."""
    made = {key: told[key] for key in ("hostname", "domainname", "dns", "dns_search", "dns_opt") if key in told}
    made["network_mode"] = "none"
    made.setdefault("hostname", host)
    here = [f"{name}={_HERE}" for name in sorted(own | {made["hostname"]})]
    made["extra_hosts"] = list(dict.fromkeys([*told.get("extra_hosts", ()), *here]))
    return made


def apart(service: Project) -> None:
    """Take from a service what it says about its network."""
    for key in TAKEN:
        service.pop(key, None)
    rest = {name: value for name, value in (service.pop("sysctls", None) or {}).items() if not _is_of_network(name)}
    if rest:
        service["sysctls"] = rest


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names) or "no services"


# -- one of several ----------------------------------------------------------------------------------------------


def _networks(services: Mapping[str, Any]) -> Project:
    """All networks of all of them, where each answers to its names as before."""
    made: Project = {}
    for target, service in services.items():
        own = [name for name in (target, service.get("container_name")) if name]
        for name, given in (service.get("networks") or {"default": None}).items():
            made.setdefault(name, {})[target] = {
                **(given or {}),
                "aliases": [*own, *((given or {}).get("aliases") or ())],
            }
    return {name: _network(name, of) for name, of in made.items()}


def _network(name: str, services: Mapping[str, Mapping[str, Any]]) -> Project:
    keys = dict.fromkeys(key for one in services.values() for key in one if key != "aliases")
    said = {
        key: _agreed({service: one.get(key) for service, one in services.items()}, f"`{key}` in the network {name}")
        for key in keys
    }
    return {**said, "aliases": list(dict.fromkeys(alias for one in services.values() for alias in one["aliases"]))}


def _check_ports(services: Mapping[str, Any]) -> None:
    """Two programs cannot listen on one port of one network."""
    holders: dict[tuple[str, str], str] = {}
    for name, service in services.items():
        for port in dict.fromkeys(_ports(service)):
            holder = holders.setdefault(port, name)
            if holder != name:
                raise _apart(
                    holder,
                    name,
                    f"both listen on port {port[0]}",
                    f"Let one of them listen on another port, or record them one after the other: --container-name "
                    f"{holder}, then --container-name {name}.",
                )


def _ports(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The container's ports that it says it listens on, and their protocols."""
    for one in service.get("ports") or ():
        yield str(one["target"]), one.get("protocol") or "tcp"
    for exposed in service.get("expose") or ():
        port, _, protocol = str(exposed).partition("/")
        yield port, protocol or "tcp"


def _settings(services: Mapping[str, Any]) -> Project:
    """Settings of the network's kernel."""
    keys = dict.fromkeys(key for one in services.values() for key in (one.get("sysctls") or {}) if _is_of_network(key))
    return {
        key: _agreed({name: (one.get("sysctls") or {}).get(key) for name, one in services.items()}, f"`{key}`")
        for key in keys
    }


def _is_of_network(setting: str) -> bool:
    return setting.startswith("net.")


def _links(links: Sequence[str], targets: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names under which they know each other, and their links to others."""
    inside, outside = [], []
    for link in links:
        name, _, alias = link.partition(":")
        if name in targets:
            inside.append(alias or name)
        else:
            outside.append(link)
    return inside, outside


def _agreed(values: Mapping[str, Any], what: str) -> Any:
    """The one thing that those who say something say."""
    said = [(name, value) for name, value in values.items() if value not in (None, "", [], {})]
    for name, value in said[1:]:
        if value != said[0][1]:
            raise _apart(said[0][0], name, f"they say different things of {what}")
    return said[0][1] if said else None


def _apart(one: str, other: str, why: str, remedy: str | None = None) -> ContainerError:
    return ContainerError(
        f"{one} and {other} cannot be one app, with one network: {why}.",
        remedy=remedy or "Let them say the same for the recording (a second file with -f), or record one of them.",
    )


def _hosts(given: Any) -> list[str]:
    """`extra_hosts`, which Compose writes as a list of name=address."""
    if isinstance(given, Mapping):
        return [f"{name}={one}" for name, ones in given.items() for one in (ones if isinstance(ones, list) else [ones])]
    return list(given or ())
