"""`docker compose up`: the user's project resolved, changed, made, and taken away again."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intercept.containers import compose, image, leftovers, network
from intercept.containers.app import ContainerApp, Extra
from intercept.containers.commands import ComposeUp
from intercept.containers.compose import AGENT, Agent
from intercept.containers.target import Target
from testset.errors import ContainerError


@dataclass(slots=True)
class ComposeApp(ContainerApp):
    """`docker compose up`."""

    command: ComposeUp | None = None
    project: dict[str, Any] = field(default_factory=dict)
    _made_room: list[str] = field(default_factory=list)  # services that had a container before
    _alone: bool = False

    def prepare(self, wanted: Sequence[str]) -> None:
        """Find the app in the project."""
        self.project = self._resolved()
        found = compose.find_targets(self.project, wanted)
        network.check(self.project, found)
        self.names = network.names(self.project, found)
        for number, name in enumerate(found):
            service = self.project["services"][name]
            told = service.get("environment") or {}
            after = {other: facts["condition"] for other, facts in (service.get("depends_on") or {}).items()}
            self.targets.append(
                Target(
                    self.engine,
                    name,
                    number,
                    image=service.get("image") or f"{self.project['name']}-{name}",
                    environment={str(key): "" if value is None else str(value) for key, value in told.items()},
                    after={other: condition for other, condition in after.items() if other in found},
                )
            )

    def _resolved(self) -> dict[str, Any]:
        command = self.command
        assert command is not None
        words = [*command.global_words, "config", "--format", "json", *command.services]
        process = self.spawn(
            words, cwd=command.folder, environment=command.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, said = process.communicate()
        if process.returncode:
            why = said.decode("utf-8", "replace").strip()
            if "is not a docker command" in why or "unknown command" in why or "unknown shorthand flag" in why:
                raise ContainerError(
                    "This machine's docker has no `compose`.", remedy="Install Docker's Compose plugin, version 2."
                )
            raise ContainerError(
                f"The Compose project cannot be read: {why}", remedy="Correct it: `docker compose config`."
            )
        try:
            found: dict[str, Any] = json.loads(_unescaped(out))
        except ValueError as error:
            raise ContainerError(
                "`docker compose config` does not answer in JSON.", remedy="Install Docker's Compose plugin, version 2."
            ) from error
        return found

    def make(self, *, alone: bool, memory: int, extra: Extra) -> None:
        command, around = self.command, self.around
        assert command is not None
        self._alone = alone
        name = f"rr-{self.claim.token}" if alone else str(self.project["name"])
        before = {} if alone else leftovers.everything_of(self.engine, name)
        self.claim.note(project=name, before=before)
        if not alone:
            self._make_room(name)
        for one in self.targets:
            one.takes_from(self._image(one))
        agent = Agent(
            image.ensure(self.engine, around.agent_base, lambda: around.told("Building rr's agent image …")),
            self.claim.token,
            memory,
        )
        services = [one.name for one in self.targets]
        environments = {one.name: {**one.trusting(), **extra(one)} for one in self.targets}
        if alone:
            volumes = {one.get("name") for one in (self.project.get("volumes") or {}).values() if one}
            there = frozenset(one for one in volumes if one and self.engine.has_volume(one))
            made = compose.alone(self.project, services, agent, environments, there)
        else:
            made = compose.among_others(self.project, services, agent, environments)
        leftovers.private(self._file, _escaped(json.dumps(made, indent=1)).encode())
        making = [one for one in command.making() if one != "--build"] if not alone else []
        self._compose(["create", *making, *([] if alone else command.services)], "The project cannot be made")
        self._agent = self._made(name, AGENT)
        for one in self.targets:
            one.container = self._made(name, one.name)

    def _make_room(self, project: str) -> None:
        for one in self.targets:
            there = self.engine.of_service(project, one.name)
            if there is None:
                continue
            if there.status == "running":
                raise ContainerError(
                    f"{one.name} is up already (container {there.name}).",
                    remedy=f"Stop it first: docker compose -p {project} stop.",
                )
            self._made_room.append(one.name)

    def _made(self, project: str, service: str) -> Any:
        found = self.engine.of_service(project, service)
        if found is None:
            what = self.name if service == AGENT else service
            raise ContainerError(f"Compose has not made {what}.", remedy="Does the command name its service?")
        return found

    def _image(self, target: Target) -> Mapping[str, Any]:
        """What a target's image says, once it is there."""
        assert self.command is not None
        service = self.project["services"][target.name]
        facts = self.engine.image_facts(target.image)
        if not facts or (service.get("build") and "--build" in self.command.making()):
            self._get_image(target.name, "build" if service.get("build") else "pull")
            facts = self.engine.image_facts(target.image)
        return facts

    def _get_image(self, service: str, verb: str) -> None:
        command = self.command
        assert command is not None
        what = f"The image of {service} cannot be {'built' if verb == 'build' else 'had'}"
        self.run([*command.global_words, verb, service], what, cwd=command.folder, environment=command.environment)

    def folders(self) -> list[Path]:
        services = [self.project["services"][one.name] for one in self.targets]
        contexts = [context for one in services if (context := (one.get("build") or {}).get("context"))]
        return [*map(Path, contexts), Path.cwd()]

    def foreground(self) -> list[str]:
        command = self.command
        assert command is not None
        return [*self._words(), "up", "--no-build", *command.running(), *command.services]

    def restore(self) -> None:
        command = self.command
        assert command is not None
        if self._made_room:
            words = [*command.global_words, "create", "--no-build", *self._made_room]
            process = self.spawn(
                words,
                cwd=command.folder,
                environment=command.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            process.wait()

    @property
    def _file(self) -> Path:
        return self.claim.path / "compose.json"

    def _words(self) -> list[str]:
        command = self.command
        assert command is not None
        name = f"rr-{self.claim.token}" if self._alone else str(self.project["name"])
        folder = os.path.abspath(command.folder or ".")
        own = next((one.value for one in command.options if one.name == "--project-directory"), None)
        return [
            *command.program,
            "--progress",
            "quiet" if self.around.quiet else "auto",
            "-f",
            str(self._file),
            "-p",
            name,
            "--project-directory",
            own or folder,
        ]

    def _compose(self, words: Sequence[str], what: str) -> None:
        command = self.command
        assert command is not None
        self.run([*self._words(), *words], what, cwd=command.folder, environment=command.environment)


def _escaped(text: str) -> str:
    """So that Compose does not read `$` as a variable."""
    return text.replace("$", "$$")


def _unescaped(data: bytes) -> str:
    return data.decode().replace("$$", "$")
