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

from intercept import kernel
from intercept.containers import leftovers
from intercept.containers.engine import Engine
from intercept.containers.leftovers import Claim
from intercept.containers.network import listed
from intercept.containers.target import ROOTS, Target
from testset.errors import ContainerError

Extra = Callable[[Target], Mapping[str, str]]

_POLL = 0.05
_GENTLY = 30.0  # seconds that a docker command may take to end after it was told to


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
    targets: list[Target] = field(default_factory=list)  # the containers that are the app, as they were named
    names: frozenset[str] = frozenset()  # that the app has in its networks
    _agent: Any = None  # its container, once it is made
    _began: float = field(default_factory=time.monotonic)
    _closed: bool = False

    @abstractmethod
    def prepare(self, wanted: Sequence[str]) -> None:
        """Find the app; `wanted`: the names of its containers. Raises errors of all kinds, and changes nothing."""

    @abstractmethod
    def make(self, *, alone: bool, memory: int, extra: Extra) -> None:
        """Create the agent's container and the app's; nothing runs yet. `alone`: for a replay. `memory`: bytes for the
        journal. `extra`: what each container of the app gets in its environment."""

    @abstractmethod
    def foreground(self) -> list[str]:
        """The command that runs what was made, for the person to see."""

    @abstractmethod
    def restore(self) -> None:
        """Put back what had to make room."""

    # -- all the same ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """As a person calls it."""
        return listed([one.name for one in self.targets])

    @property
    def environment(self) -> dict[str, str]:
        """What its containers have there, without rr; another value of a further one has its name before it."""
        found: dict[str, str] = {}
        for one in self.targets:
            for name, value in one.environment.items():
                found[name if found.get(name, value) == value else f"{one.name}_{name}"] = value
        return found

    @property
    def is_made(self) -> bool:
        return self._agent is not None

    @property
    def agent(self) -> Any:
        assert self._agent is not None, "the app was not made"
        return self._agent

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

    def trust_files(self, authority: bytes) -> dict[str, bytes]:
        """What makes the app trust rr, by its place on the shelf, and what the agent is to verify servers with."""
        made, roots = dict[str, bytes](), dict[bytes, None]()
        for one in self.targets:
            files = one.trust_files(authority)
            made |= files
            roots[files[one.roots]] = None
        return {**made, ROOTS: b"\n".join(roots)}

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
