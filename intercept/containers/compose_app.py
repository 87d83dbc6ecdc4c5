"""`docker compose up`: the user's project resolved, changed, made, and taken away again."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intercept.containers import compose, image, leftovers
from intercept.containers.app import ContainerApp, Extra
from intercept.containers.commands import ComposeUp
from intercept.containers.compose import AGENT, Agent
from testset.errors import ContainerError


@dataclass(slots=True)
class ComposeApp(ContainerApp):
    """`docker compose up`."""

    command: ComposeUp | None = None
    project: dict[str, Any] = field(default_factory=dict)
    service: str = ""
    _had_target: bool = False
    _alone: bool = False

    def prepare(self, wanted: str | None) -> None:
        """Find the app in the project."""
        assert self.command is not None
        self.project = self._resolved()
        self.service = self.name = compose.find_target(self.project, wanted)
        compose.check(self.project, self.service)
        service = self.project["services"][self.service]
        self.image_name = service.get("image") or f"{self.project['name']}-{self.service}"
        self.environment = {str(k): "" if v is None else str(v) for k, v in (service.get("environment") or {}).items()}

    image_name: str = ""

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
        service = self.project["services"][self.service]
        name = f"rr-{self.claim.token}" if alone else str(self.project["name"])
        before = {} if alone else leftovers.everything_of(self.engine, name)
        self.claim.note(project=name, before=before)
        running = None if alone else self.engine.of_service(name, self.service)
        if running is not None and running.status == "running":
            raise ContainerError(
                f"{self.service} is up already (container {running.name}).",
                remedy=f"Stop it first: docker compose -p {name} stop.",
            )
        self._had_target = running is not None
        facts = self.engine.image_facts(self.image_name)
        if not facts or (service.get("build") and "--build" in command.making()):
            self._get_image(service)
            facts = self.engine.image_facts(self.image_name)
        own = dict(one.partition("=")[::2] for one in facts.get("Env") or ())
        self.environment = {**own, **self.environment}
        agent = Agent(
            image.ensure(self.engine, around.agent_base, lambda: around.told("Building rr's agent image …")),
            self.claim.token,
            memory,
        )
        environment = {**self.trusting(), **extra(self.environment)}
        if alone:
            volumes = {one.get("name") for one in (self.project.get("volumes") or {}).values() if one}
            there = frozenset(one for one in volumes if one and self.engine.has_volume(one))
            made = compose.alone(self.project, self.service, agent, environment, there)
        else:
            made = compose.among_others(self.project, self.service, agent, environment)
        leftovers.private(self._file, _escaped(json.dumps(made, indent=1)).encode())
        making = [one for one in command.making() if one != "--build"] if not alone else []
        self._compose(["create", *making, *([] if alone else command.services)], "The project cannot be made")
        found = self.engine.of_service(name, AGENT), self.engine.of_service(name, self.service)
        if found[0] is None or found[1] is None:
            raise ContainerError(f"Compose has not made {self.service}.", remedy="Does the command name its service?")
        self.made = found

    def _get_image(self, service: Mapping[str, Any]) -> None:
        command = self.command
        assert command is not None
        verb = "build" if service.get("build") else "pull"
        what = f"The image of {self.service} cannot be {'built' if verb == 'build' else 'had'}"
        self.run([*command.global_words, verb, self.service], what, cwd=command.folder, environment=command.environment)

    def folders(self) -> list[Path]:
        context = (self.project["services"][self.service].get("build") or {}).get("context")
        return [*([Path(context)] if context else []), Path.cwd()]

    def foreground(self) -> list[str]:
        command = self.command
        assert command is not None
        return [*self._words(), "up", "--no-build", *command.running(), *command.services]

    def restore(self) -> None:
        command = self.command
        assert command is not None
        if self._had_target:
            words = [*command.global_words, "create", "--no-build", self.service]
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
