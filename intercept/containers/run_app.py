"""`docker run`: its options shared out between the agent's container and the app's."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from intercept.containers import image
from intercept.containers.app import ContainerApp, Extra
from intercept.containers.commands import DockerRun, Option
from intercept.containers.compose import SHELF
from intercept.containers.engine import told
from intercept.containers.leftovers import LABEL
from intercept.containers.target import Target
from testset.errors import ContainerError, UsageError

_NETWORK = ("--network", "--net")
# What is said about the network is the agent's to say, in a recording ...
_OF_AGENT = frozenset((
    *_NETWORK, "--network-alias", "--net-alias", "--ip", "--ip6", "--link-local-ip", "-p", "--publish", "-P",
    "--publish-all", "--expose", "-h", "--hostname", "--domainname", "--dns", "--dns-opt", "--dns-option",
    "--dns-search", "--add-host", "--link", "--mac-address",
))  # fmt: skip
# ... and in a replay, which has no network.
_OF_AGENT_ALONE = frozenset(("-h", "--hostname", "--domainname", "--dns-search", "--add-host"))
_OF_RR = frozenset(("-d", "--detach", "--rm", "-i", "--interactive", "-t", "--tty", "--cidfile", "--sig-proxy"))
_NOT_ALONE = frozenset(("--name", "--restart"))
_VOLUMES = ("-v", "--volume")


@dataclass(slots=True)
class RunApp(ContainerApp):
    """One container."""

    command: DockerRun | None = None

    def prepare(self, wanted: Sequence[str]) -> None:
        command = self._command
        own = command.value("--name")
        name = own or command.image
        if len(wanted) > 1:
            raise UsageError(
                f"`docker run` starts one container, and --container-name names {len(wanted)}.",
                remedy="Several containers are one app where `docker compose up` starts them.",
            )
        if wanted and wanted[0] not in (own, command.image):
            remedy = f"Leave --container-name out, or say {name}."
            raise UsageError(f"There is no container {wanted[0]}: the command starts {name}.", remedy=remedy)
        mode = command.value(*_NETWORK) or "bridge"
        if mode in ("host", "none") or mode.startswith("container:"):
            raise ContainerError(
                f"{name} runs with --network {mode}: it has no network of its own, at whose edge rr could stand.",
                remedy="Leave that option out for the recording, or start the app without Docker.",
            )
        called = ("--name", "--network-alias", "--net-alias", "-h", "--hostname")
        self.names = frozenset(one.value for one in command.options if one.name in called and one.value)
        self.targets = [Target(self.engine, name, image=command.image, environment=environment_of(command))]

    def make(self, *, alone: bool, memory: int, extra: Extra) -> None:
        command = self._command
        self.claim.note(project=None)
        facts = self.engine.image_facts(command.image)
        if not facts:
            self.run(
                [*command.program, "pull", command.image],
                f"The image {command.image} cannot be had",
                cwd=command.folder,
            )
            facts = self.engine.image_facts(command.image)
        [target] = self.targets
        target.takes_from(facts)
        around, token = self.around, self.claim.token
        agent_image = image.ensure(self.engine, around.agent_base, lambda: around.told("Building rr's agent image …"))
        shelf = f"rr-shelf-{token}"
        with told("A volume cannot be made"):
            self.engine.client.volumes.create(shelf, labels={LABEL: token})
        common = ["--label", f"{LABEL}={token}", "--volume", f"{shelf}:{SHELF}"]
        agent_name = f"rr-agent-{token}"
        self._create(
            [
                *common, "--name", agent_name, "--user", "0", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN",
                "--cap-add", "SETUID", "--cap-add", "SETGID", "--security-opt", "no-new-privileges:true", "--read-only",
                "--shm-size", str(memory + (64 << 20)), "--pull", "never",
                *of_agent(command, alone=alone, exposed=facts.get("ExposedPorts") or ()), agent_image, "wait",
            ]
        )  # fmt: skip
        variables = [
            word
            for name, value in {**target.trusting(), **extra(target)}.items()
            for word in ("--env", f"{name}={value}")
        ]
        name = command.value("--name")
        app_name = name if name and not alone else f"rr-app-{token}"
        named = [] if name and not alone else ["--name", app_name]
        self._create(
            [*common, *named, "--network", f"container:{agent_name}", *of_app(command, alone=alone), *variables,
             command.image, *command.arguments]
        )  # fmt: skip
        self._agent, target.container = self.engine.named(agent_name), self.engine.named(app_name)
        if self._agent is None or target.container is None:
            raise ContainerError(f"Docker has not made a container for {self.name}.")

    def foreground(self) -> list[str]:
        return [*self._command.program, "start", "--attach", self.targets[0].container.name]

    def restore(self) -> None:
        """Nothing had to make room."""

    # -- the command -----------------------------------------------------------------------------------------------

    @property
    def _command(self) -> DockerRun:
        assert self.command is not None
        return self.command

    def _create(self, words: Sequence[str]) -> None:
        command = self._command
        what = f"A container for {self.name} cannot be made"
        self.run(
            [*command.program, "create", *words], what, cwd=command.folder, environment=command.environment, silent=True
        )


def of_agent(command: DockerRun, *, alone: bool, exposed: Iterable[str] = ()) -> list[str]:
    """Options for the agent's container. `exposed`: ports of the app's image, which -P publishes."""
    ours = _OF_AGENT_ALONE if alone else _OF_AGENT
    words = [
        word for one in command.options if one.name in ours or _is_network_setting(one, alone) for word in one.words
    ]
    if not alone:
        return [*words, *(word for port in exposed for word in ("--expose", port))]
    host = command.value("-h", "--hostname")
    if host is None:
        host = "app"
        words += ["--hostname", host]
    return [*words, "--network", "none", "--add-host", f"{host}:127.0.0.1"]


def of_app(command: DockerRun, *, alone: bool) -> list[str]:
    """Options for the app's container."""
    not_its = _OF_AGENT | _OF_RR | (_NOT_ALONE if alone else frozenset())
    found = [one for one in command.options if one.name not in not_its and not _is_network_setting(one, False)]
    if alone:
        found = [one for one in found if not (one.name in _VOLUMES and _is_socket((one.value or "").partition(":")[0]))]
    return [word for one in found for word in one.words]


def environment_of(command: DockerRun) -> dict[str, str]:
    """The environment that the command line gives the app."""
    return dict(_given(command))


def _given(command: DockerRun) -> Iterator[tuple[str, str]]:
    for one in command.options:
        if one.name == "--env-file" and one.value:
            path = Path(command.folder or ".", one.value)
            try:
                lines = path.read_text().splitlines()
            except OSError as error:
                raise ContainerError(f"{path} cannot be read: {error.strerror}.") from error
            for line in lines:
                if line.strip() and not line.lstrip().startswith("#"):
                    name, equals, value = line.partition("=")
                    yield name.strip(), value if equals else os.environ.get(name.strip(), "")
        elif one.name in ("-e", "--env") and one.value:
            name, equals, value = one.value.partition("=")
            yield name, value if equals else os.environ.get(name, "")


def _is_network_setting(option: Option, alone: bool) -> bool:
    return option.name == "--sysctl" and (option.value or "").startswith("net.") and not alone


def _is_socket(path: str) -> bool:
    """A socket of this machine would be a way out."""
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
