"""One of the containers that are the app: what it trusts, what it runs, and how its processes are reached."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intercept import trust
from intercept.containers.compose import SHELF
from intercept.containers.engine import Engine

ROOTS = "trust/roots.pem"  # on the shelf: what the agent verifies servers with


@dataclass(slots=True)
class Target:
    """`number`: among those of the app. `after`: which of the others are up before it, and in which of Compose's
    conditions."""

    engine: Engine
    name: str  # as a person calls it
    number: int = 0
    image: str = ""
    environment: dict[str, str] = field(default_factory=dict)  # without rr
    after: Mapping[str, str] = field(default_factory=dict)
    container: Any = None  # once it is made

    def takes_from(self, facts: Mapping[str, Any]) -> None:
        """Its image says what its environment is where nobody else does."""
        own = dict(one.partition("=")[::2] for one in facts.get("Env") or ())
        self.environment = {**own, **self.environment}

    def program(self) -> tuple[str, bytes]:
        """The name of its first program, and its file; empty where it cannot be found."""
        config = self.container.attrs.get("Config") or {}
        name = next(iter([*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]), "")
        folders = [""] if "/" in name else [f"{one}/" for one in self.environment.get("PATH", "").split(":")]
        return name, next((found for one in folders if (found := self.engine.read(self.container, one + name))), b"")

    def state(self) -> Mapping[str, Any]:
        """What the engine says of it now."""
        self.container.reload()
        found: Mapping[str, Any] = self.container.attrs["State"]
        return found

    def is_up(self, condition: str) -> bool:
        """Whether those may start now that wait for it."""
        state = self.state()
        if condition == "service_healthy":
            return bool((state.get("Health") or {}).get("Status") == "healthy")
        if condition == "service_completed_successfully":
            return state.get("Status") == "exited" and state.get("ExitCode") == 0
        return state.get("Status") != "created"

    # -- its processes -------------------------------------------------------------------------------------------

    def handles(self, number: int) -> bool:
        """Whether its first process would do anything at a signal, as far as that can be seen from here."""
        try:
            facts = Path("/proc", str(self.state()["Pid"]), "status").read_text()
            caught = next(line.split()[1] for line in facts.splitlines() if line.startswith("SigCgt:"))
        except (OSError, StopIteration, KeyError):
            return True
        return not self.engine.is_local or bool(int(caught, 16) >> (number - 1) & 1)

    def signal_others(self, number: int) -> bool:
        """Signal all its processes but the first: a shell there passes nothing on. False if the image has no shell, and
        so none that would have to."""
        import docker

        try:
            done = self.container.exec_run(["/bin/sh", "-c", f"kill -s {signal.Signals(number).name[3:]} -- -1"])
        except docker.errors.APIError:  # it has ended
            return False
        return bool(done.exit_code == 0)

    # -- what it trusts ------------------------------------------------------------------------------------------

    @property
    def _place(self) -> str:
        return f"trust/{self.number}"

    @property
    def roots(self) -> str:
        """Among `trust_files`: what it trusts without rr."""
        return f"{self._place}/{trust.ROOTS}"

    def has_java(self) -> bool:
        return any(name.startswith("JAVA_") for name in self.environment)

    def trusting(self) -> dict[str, str]:
        """Variables that make it trust rr."""
        return trust.variables(self.environment, Path(SHELF, self._place), java=self.has_java())

    def trust_files(self, authority: bytes) -> dict[str, bytes]:
        """What these variables name, by its place on the shelf."""
        system = next((found for path in trust.USUAL if (found := self.engine.read(self.container, path))), b"")

        def read(path: str) -> bytes:
            return self.engine.read(self.container, path) or self._mounted(path)

        made = trust.files(authority, self.environment, system, read, java=self.has_java())
        return {f"{self._place}/{name}": content for name, content in made.items()}

    def _mounted(self, path: str) -> bytes:
        """A file that it has from this machine: it is in no image."""
        for one in self.container.attrs.get("Mounts") or ():
            inside, source = one.get("Destination") or "", one.get("Source") or ""
            if one.get("Type") == "bind" and (path == inside or path.startswith(inside.rstrip("/") + "/")):
                try:
                    return Path(source + path.removeprefix(inside)).read_bytes()
                except OSError:
                    return b""
        return b""
