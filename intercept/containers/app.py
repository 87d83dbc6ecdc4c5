"""An app in a container, as rr runs it: what a docker command starts, with the agent put in, all taken away again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intercept import kernel, trust
from intercept.containers import compose, image, leftovers
from intercept.containers.commands import ComposeUp, DockerRun
from intercept.containers.compose import AGENT, SHELF, Agent
from intercept.containers.engine import Engine
from intercept.containers.leftovers import Claim
from testset.errors import ContainerError, UsageError

_POLL = 0.05
_GENTLY = 30.0  # seconds that a docker command may take to end after it was told to
_TRUSTED = "trust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """How an app is dealt with, whatever starts it."""

    told: Callable[[str], None]  # what a person may want to know
    interrupted: Callable[[], bool]  # whether the person has had enough
    agent_base: str  # the image that the agent's is built on
    ceiling: float  # seconds for everything to be built and up
    quiet: bool = False  # the output of docker is not for the person


@dataclass(slots=True)
class ContainerApp(ABC):
    """One app, from a docker command. `prepare` looks, `make` creates, `close` removes."""

    around: Around
    engine: Engine
    claim: Claim
    name: str = ""  # as a person calls it
    environment: dict[str, str] = field(default_factory=dict)  # the app's, without rr
    made: tuple[Any, Any] | None = None  # the containers of the agent and the app
    _began: float = field(default_factory=time.monotonic)
    _closed: bool = False

    @abstractmethod
    def make(self, *, alone: bool, memory: int, extra: Mapping[str, str]) -> None:
        """Create the agent's container and the app's; nothing runs yet. `alone`: for a replay. `memory`: bytes for the
        journal. `extra`: what the app gets in its environment."""

    @abstractmethod
    def foreground(self) -> list[str]:
        """The command that runs what was made, for the person to see."""

    @abstractmethod
    def restore(self) -> None:
        """Put back what had to make room."""

    # -- all the same ----------------------------------------------------------------------------------------------

    @property
    def agent(self) -> Any:
        assert self.made is not None
        return self.made[0]

    @property
    def target(self) -> Any:
        assert self.made is not None
        return self.made[1]

    def has_java(self) -> bool:
        return any(name.startswith("JAVA_") for name in self.environment)

    def handles(self, number: int) -> bool:
        """Whether the app's first process would do anything at a signal, as far as that can be seen from here."""
        self.target.reload()
        try:
            facts = Path("/proc", str(self.target.attrs["State"]["Pid"]), "status").read_text()
            caught = next(line.split()[1] for line in facts.splitlines() if line.startswith("SigCgt:"))
        except (OSError, StopIteration, KeyError):
            return True
        return not self.engine.is_local or bool(int(caught, 16) >> (number - 1) & 1)

    def trusting(self) -> dict[str, str]:
        """Variables that make the app trust rr."""
        return trust.variables(self.environment, Path(SHELF, _TRUSTED), java=self.has_java())

    def trust_files(self, authority: bytes) -> dict[str, bytes]:
        """What these variables name, by its place on the shelf."""
        system = next((found for path in trust.USUAL if (found := self.engine.read(self.target, path))), b"")

        def read(path: str) -> bytes:
            return self.engine.read(self.target, path) or self.mounted(path)

        made = trust.files(authority, self.environment, system, read, java=self.has_java())
        return {f"{_TRUSTED}/{name}": content for name, content in made.items()}

    def mounted(self, path: str) -> bytes:
        """A file that the app has from this machine: it is in no image."""
        for one in self.target.attrs.get("Mounts") or ():
            inside, source = one.get("Destination") or "", one.get("Source") or ""
            if one.get("Type") == "bind" and (path == inside or path.startswith(inside.rstrip("/") + "/")):
                try:
                    return Path(source + path.removeprefix(inside)).read_bytes()
                except OSError:
                    return b""
        return b""

    def run(
        self, words: Sequence[str], what: str, *, cwd: str | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """Run a docker command to its end, or until the person has had enough. Raises `ContainerError` if it fails."""
        out: Any = subprocess.PIPE if self.around.quiet else sys.stderr
        process = self.spawn(words, cwd=cwd, environment=environment, stdout=out, stderr=subprocess.STDOUT)
        while True:
            try:
                said, _ = process.communicate(timeout=_POLL)
                break
            except subprocess.TimeoutExpired:
                if self.around.interrupted():
                    end(process)
                    raise KeyboardInterrupt from None
                if time.monotonic() - self._began > self.around.ceiling:
                    end(process)
                    raise ContainerError(
                        f"{what}: not done within {self.around.ceiling:g} s.",
                        remedy="Give it longer with --build-delay, or build the images first: docker compose build.",
                    ) from None
        if process.returncode:
            last = [line for line in (said or b"").decode("utf-8", "replace").splitlines() if line.strip()][-3:]
            tail = ": " + " ".join(line.strip() for line in last) if last else f" (exit code {process.returncode})"
            raise ContainerError(
                f"{what}{tail}".rstrip("."), remedy=f"See what it says above, or run it: {' '.join(words[:3])} …"
            )

    def spawn(
        self,
        words: Sequence[str],
        *,
        cwd: str | None = None,
        environment: Mapping[str, str] | None = None,
        **streams: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a docker command: away from the terminal's keys, which are rr's, and not without rr."""
        try:
            return subprocess.Popen(
                list(words),
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=lambda: kernel.die_with_parent(signal.SIGTERM),
                **streams,
            )
        except FileNotFoundError:
            raise ContainerError(
                f"There is no command {words[0]} on this machine.", remedy="Install Docker, with its Compose plugin."
            ) from None

    def start_agent(self) -> None:
        import docker

        from intercept.containers.engine import told

        with told("The agent cannot be started", "Stop what holds the port, or publish another one."):
            try:
                self.agent.start()
            except docker.errors.APIError as error:
                if (
                    "ports are not available" in str(error)
                    or "already allocated" in str(error)
                    or "in use" in str(error)
                ):
                    raise ContainerError(
                        f"A port that {self.name} publishes is taken: {error.explanation}".rstrip("."),
                        remedy="Stop the program or container that holds it, or publish another port.",
                    ) from error
                raise

    def close(self) -> None:
        """Remove what was made, and leave everything as it was. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        try:
            leftovers.clean(self.engine, self.claim)
            self.restore()
        finally:
            self.engine.close()
            self.claim.release()


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

    def make(self, *, alone: bool, memory: int, extra: Mapping[str, str]) -> None:
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
        environment = {**self.trusting(), **extra}
        if alone:
            volumes = {one.get("name") for one in (self.project.get("volumes") or {}).values() if one}
            there = frozenset(one for one in volumes if one and self.engine.has_volume(one))
            made = compose.replaying(self.project, self.service, agent, environment, there)
        else:
            made = compose.recording(self.project, self.service, agent, environment)
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


def open_app(command: ComposeUp | DockerRun, wanted: str | None, around: Around) -> ContainerApp:
    """Look at what a docker command would start. Raises errors of all kinds before anything is changed."""
    engine = Engine()
    for one in leftovers.abandoned():
        if leftovers.clean(engine, one):
            around.told("Removed what an rr that was cut off had left in Docker.")
        one.release()
    claim = leftovers.claim()
    try:
        if isinstance(command, DockerRun):
            raise UsageError("rr does not start `docker run` yet.", remedy="Use docker compose.")
        app = ComposeApp(around, engine, claim, command=command)
        app.prepare(wanted)
    except BaseException:
        engine.close()
        claim.release()
        raise
    return app


def end(process: subprocess.Popen[bytes]) -> None:
    """End a docker command as Ctrl-C would, and then harder."""
    for number, patience in ((signal.SIGINT, _GENTLY), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def _escaped(text: str) -> str:
    """So that Compose does not read `$` as a variable."""
    return text.replace("$", "$$")


def _unescaped(data: bytes) -> str:
    return data.decode().replace("$$", "$")
