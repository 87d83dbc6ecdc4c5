"""Where the app of a test run is: on a stage of rr's own (`stage`), on the host, or running already somewhere.

What a run needs of it is the same in each case. Only on a stage are there mocks; elsewhere the app has its real
dependencies, and only its responses can be compared.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from intercept import kernel, netlink, processes
from intercept.clock import Clock
from intercept.sockdiag import Listener, listeners
from replayer.sending import connected
from testset.errors import PortTakenError, UsageError

if TYPE_CHECKING:
    from replayer.conversation import Answers
    from replayer.doorman import Doorman

Steps = Sequence[tuple[int, float]]  # signals, and how many seconds each is given


class Scene(ABC):
    """Use as an asynchronous context manager."""

    clock = Clock()  # the app's

    @abstractmethod
    def start(self, command: str, environment: Mapping[str, str], folder: str, output: int | None) -> None:
        """Start the app; with `output` it writes there."""

    @abstractmethod
    def exit_code(self) -> int | None:
        """The app's exit code (negative: ended by that signal); None while it runs."""

    @abstractmethod
    def stop(self, steps: Steps) -> int:
        """End the app, if it is rr's to end. Blocks."""

    @abstractmethod
    def listeners(self) -> frozenset[Listener]:
        """Where the app listens."""

    @abstractmethod
    async def connect(self, host: str, port: int) -> socket.socket:
        """A connection to the app."""

    def processes(self) -> list[int]:
        """The app and all that it has started, as far as that can be looked at from here."""
        return []

    async def __aenter__(self) -> Self:
        return self

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def listens(self, port: int) -> bool:
        return any(one.port == port for one in self.listeners())

    def address(self, port: int) -> str:
        """The address at which the app listens on a port."""
        found = [one for one in self.listeners() if one.port == port]
        there = sorted(one.host for one in found)
        if not there or any(one.hears("127.0.0.1") for one in found):
            return "127.0.0.1"
        return "::1" if there[0] == "::" else there[0]

    def authority(self) -> str | None:
        """What requests must have as `Host` here, if that is not what was recorded."""
        return None


class Hermetic(Scene):
    """Nothing leaves it: all that the app opens and asks for meets the mocks."""

    doorman: Doorman
    datagrams = 0  # that the app has sent to nobody

    @abstractmethod
    def serve(self, answers: Answers) -> None:
        """From now on, these are the mocks."""


class OnHost(Scene):
    """`--no-mocking`: rr starts the app as anybody would, and ends it."""

    def __init__(self) -> None:
        self._diag = netlink.open_socket(netlink.NETLINK_SOCK_DIAG)
        self._before = listeners(self._diag, 0)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: str, environment: Mapping[str, str], folder: str, output: int | None) -> None:
        kernel.become_subreaper()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL if output is not None else None,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def exit_code(self) -> int | None:
        return self._process.poll() if self._process is not None else None

    def stop(self, steps: Steps) -> int:
        assert self._process is not None, "what was not started cannot be stopped"
        for number, patience in steps:
            processes.signal_all(self._tree(), number)
            deadline = time.monotonic() + patience
            while (left := self._tree()) and time.monotonic() < deadline:
                time.sleep(0.01)
            if not left:
                break
        return self._process.wait()

    def _tree(self) -> list[int]:
        """All that the app has started and that lives, also what has lost its parent: that has come to rr."""
        assert self._process is not None
        top = self._process.pid
        of_its_session = [pid for pid in processes.descendants(os.getpid()) if _session(pid) == top]
        return list(dict.fromkeys([*of_its_session, *processes.descendants(top)]))

    def listeners(self) -> frozenset[Listener]:
        return listeners(self._diag, 0) - self._before

    def listens(self, port: int) -> bool:
        if any(one.port == port for one in self._before):
            raise PortTakenError(f"Port {port} was taken before the app was started: the tests would meet another.")
        return super().listens(port)

    async def connect(self, host: str, port: int) -> socket.socket:
        return await connected(host, port)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._diag.close()


class Elsewhere(Scene):
    """`--base-path`: the app runs already, and rr only sends to it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
            raise UsageError(f"--base-path {url}: not the address of an app", remedy="Like this: http://127.0.0.1:8080")
        self._host, self._port = parts.hostname, parts.port or 80
        self._authority = parts.netloc.rpartition("@")[2]

    def start(self, command: str, environment: Mapping[str, str], folder: str, output: int | None) -> None:
        """It runs already."""

    def exit_code(self) -> int | None:
        return None

    def stop(self, steps: Steps) -> int:
        return 0

    def listeners(self) -> frozenset[Listener]:
        return frozenset()

    def listens(self, port: int) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection((self._host, self._port), timeout=1.0).close()
            return True
        return False

    def authority(self) -> str | None:
        return self._authority

    async def connect(self, host: str, port: int) -> socket.socket:
        return await connected(self._host, self._port)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was opened."""


def _session(pid: int) -> int:
    """A process's session; 0 if it is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0
