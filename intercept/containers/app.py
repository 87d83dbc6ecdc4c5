"""An app in a container, as rr runs it: what a docker command starts, with the agent put in, all taken away again."""

from __future__ import annotations

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
from intercept.containers import leftovers
from intercept.containers.compose import SHELF
from intercept.containers.engine import Engine
from intercept.containers.leftovers import Claim
from testset.errors import ContainerError

Extra = Callable[[Mapping[str, str]], Mapping[str, str]]

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
    def prepare(self, wanted: str | None) -> None:
        """Find the app; `wanted`: its name. Raises errors of all kinds, and changes nothing."""

    @abstractmethod
    def make(self, *, alone: bool, memory: int, extra: Extra) -> None:
        """Create the agent's container and the app's; nothing runs yet. `alone`: for a replay. `memory`: bytes for the
        journal. `extra`: what the app gets in its environment, by what it has there anyway."""

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

    def published(self, port: int) -> tuple[str, int]:
        """Where a port of the app is on this machine. Raises `ContainerError` if it is nowhere."""
        self.agent.reload()
        bound = (self.agent.attrs["NetworkSettings"].get("Ports") or {}).get(f"{port}/tcp")
        if not bound:
            raise ContainerError(
                f"{self.name} does not publish its port {port}, and so rr cannot reach it.",
                remedy=f'Publish it: ports: ["{port}:{port}"].',
            )
        host = bound[0].get("HostIp") or "127.0.0.1"
        return "127.0.0.1" if host in ("0.0.0.0", "::") else host, int(bound[0]["HostPort"])

    def folders(self) -> list[Path]:
        """Folders of this machine that the app's files may be from."""
        return [Path.cwd()]

    def program(self) -> tuple[str, bytes]:
        """The name of the app's first program, and its file; empty where it cannot be found."""
        config = self.target.attrs.get("Config") or {}
        name = next(iter([*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]), "")
        folders = [""] if "/" in name else [f"{one}/" for one in self.environment.get("PATH", "").split(":")]
        return name, next((found for one in folders if (found := self.engine.read(self.target, one + name))), b"")

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

    def signal_others(self, number: int) -> bool:
        """Signal all processes of the app but its first: a shell there passes nothing on. False if the image has no
        shell, and so none that would have to."""
        import docker

        try:
            done = self.target.exec_run(["/bin/sh", "-c", f"kill -s {signal.Signals(number).name[3:]} -- -1"])
        except docker.errors.APIError:  # it has ended
            return False
        return bool(done.exit_code == 0)

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
        self,
        words: Sequence[str],
        what: str,
        *,
        cwd: str | None = None,
        environment: Mapping[str, str] | None = None,
        silent: bool = False,
    ) -> None:
        """Run a docker command to its end, or until the person has had enough. Raises `ContainerError` if it fails, of
        which `what` says what failed. `silent`: what it says is of no interest if all is well."""
        silent = silent or self.around.quiet
        out: Any = subprocess.PIPE if silent else sys.stderr
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
            why = " ".join(line.strip() for line in last) or f"exit code {process.returncode}, see above"
            raise ContainerError(f"{what}: {why}".rstrip("."))

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
