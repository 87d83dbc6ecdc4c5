"""An app under recording: namespace, relay process, doors, and the journal that they fill.

This is the guardian: it keeps every listener, starts the relay, and starts it again when it dies; what was in the
listeners' backlog is then served, only the connections in hand are lost.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intercept import memory, passing, unix_sockets
from intercept.authority import new_authority
from intercept.doors import Door, Doors
from intercept.launcher import Where
from intercept.memory import SessionFolder
from intercept.namespace import Namespace, spawn
from intercept.resolver import name_servers
from intercept.sockdiag import Listener
from intercept.trust import Trust, trust
from testset.errors import RelayError

_START_CEILING = 20.0
_MOST_RESTARTS = 5
_CONNECTIONS_PER_RELAY = 1 << 24


@dataclass(frozen=True, slots=True)
class Beside:
    """For a capture that lives beside the app, in a container's namespace: what rr has found out for it."""

    authority: bytes
    roots: pathlib.Path  # what the app trusts without rr


class Capture:
    """Runs an app and records what crosses the edge of its namespace."""

    def __init__(
        self,
        session: SessionFolder,
        limit: int,
        *,
        unix: Sequence[str] = (),
        sync: bool = False,
        queue: bool = True,
        doors: bool = True,
        servers: Sequence[tuple[str, int]] | None = None,
        beside: Beside | None = None,
        on_door: Callable[[Door, bool], None] = lambda _door, _open: None,
        on_notice: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """`unix`: the Unix sockets that are recorded. `sync`: one request at a time. `queue`: hold new
        connections until the real ones are made, if the kernel can. `doors`: open on the host what the app opens.
        `servers`: name servers other than the machine's. `beside`: the app is started by somebody else, in the
        namespace that this process is in."""
        self._session = session
        self._limit = limit
        self._servers = list(name_servers() if servers is None else servers)
        self._sync = sync
        self._has_doors = doors
        self._on_door = on_door
        self._on_notice = on_notice
        self._relays = 0
        self._stop: str | None = None  # why nothing more is to be kept, whichever relay runs
        self.stopped: str | None = None
        self.drained = False
        self._public: pathlib.Path | None = None
        if beside is None:
            self._public = memory.public()
            self._authority = new_authority()
            self._trust = trust(self._authority, self._public, os.environ)
            for note in self._trust.notes:
                on_notice(note)
        else:
            self._authority, self._trust = beside.authority, Trust(beside.roots, {})
        self._covers = unix_sockets.covers(unix, session.path)
        resolvers = unix_sockets.sockets(unix_sockets.RESOLVERS)
        dead_end = unix_sockets.dead_end(session.path)
        mounts = [one.mount for one in self._covers] + [(dead_end, path) for path in resolvers]
        self.namespace = Namespace(mounts, queue=queue, where=Where.APART if beside is None else Where.BESIDE)
        inside = self.namespace.inside
        self._doors = Doors(inside.diag, inside.port, self._opened, self._closed)
        try:
            self._start_relay()
        except BaseException:
            self.close()
            raise

    # -- the app -------------------------------------------------------------------------------------------------

    @property
    def has_queue(self) -> bool:
        """Whether `connect()` ends as without rr."""
        return self.namespace.inside.has_queue

    def start(self, command: str, environment: Mapping[str, str], folder: str, output: int | None = None) -> None:
        """With `output` the app writes there, else where rr does."""
        environment = {**environment, **self._trust.environment}
        self.namespace.start(["/bin/sh", "-c", command], environment, folder, output)

    def exit_code(self) -> int | None:
        """The app's (negative: ended by that signal); None while it runs."""
        return self.namespace.exit_code()

    def stop(self, steps: Sequence[tuple[int, float]], until: Callable[[], bool] | None = None) -> int:
        """End the app: each signal in turn, each with its patience in seconds, all cut short by `until`."""
        return self.namespace.stop(steps, until)

    def look(self) -> bool:
        """Do what has to be done now and then; returns whether a port was opened or closed."""
        self._hear()
        return self._has_doors and self._doors.look()

    def stop_recording(self, why: str) -> None:
        """From now on nothing is kept; the app goes on as it was."""
        self.stopped = self._stop = why
        self._tell({"do": "stop", "why": why})

    def doors(self) -> list[Door]:
        return self._doors.all()

    @property
    def listeners(self) -> frozenset[Listener]:
        """Where the app listens."""
        return frozenset(door.inside for door in self._doors.all())

    # -- the relay -----------------------------------------------------------------------------------------------

    def _start_relay(self) -> None:
        self._relays += 1
        self._control, far = passing.pair()
        self._process: subprocess.Popen[bytes] = spawn("intercept.relay", far, session=True)
        far.close()
        inside = self.namespace.inside
        supply = self.namespace.supply()
        files = [inside.queue, inside.relay_diag, supply, *inside.tcp, *inside.dns, *inside.udp, *inside.inbound]
        settings = {
            "journal": str(self._session.path),
            "limit": self._limit,
            "first_segment": _next_segment(self._session.path),
            "first_connection": (self._relays - 1) * _CONNECTIONS_PER_RELAY,
            "has_queue": inside.has_queue,
            "sync": self._sync,
            "port": inside.port,
            "inbound_port": inside.inbound_port,
            "counts": [len(inside.tcp), len(inside.dns), len(inside.udp)],
            "authority": self._authority.decode(),
            "roots": str(self._trust.roots),
            "packages": [path for path in sys.path if path.endswith("-packages")],
            "name_servers": [list(server) for server in self._servers],
        }
        passing.send(self._control, settings, [sock.fileno() for sock in files])
        supply.close()
        self._control.settimeout(_START_CEILING)
        try:
            got = passing.receive(self._control)
        except OSError:
            got = None
        self._control.settimeout(None)
        if got is None or not got[0].get("ready"):
            why = "it ended" if got is None else got[0].get("failed", "it did not answer")
            raise RelayError(f"rr's relay process could not be started: {why}.")
        if self._stop is not None:
            passing.send(self._control, {"do": "stop", "why": self._stop})
        for cover in self._covers:
            passing.send(self._control, {"do": "unix", "path": cover.path}, [cover.listener.fileno()])
        for door in self._doors.all():
            self._opened(door, again=True)

    def _opened(self, door: Door, again: bool = False) -> None:
        message = {"do": "listen", "host": door.inside.host, "port": door.inside.port}
        passing.send(self._control, message, [door.listener.fileno()])
        if not again:
            self._on_door(door, True)

    def _closed(self, door: Door) -> None:
        self._tell({"do": "unlisten", "host": door.inside.host, "port": door.inside.port})
        self._on_door(door, False)

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            passing.send(self._control, message)
        except OSError:
            self._hear()

    def _hear(self) -> None:
        """What the relay says; start it again if it is gone."""
        while True:
            try:
                got = passing.receive(self._control, wait=False)
            except BlockingIOError:
                return
            except OSError:
                got = None
            if got is None:
                self._relay_died()
                return
            message = got[0]
            if "stopped" in message:
                self.stopped = message["stopped"]
            if "drained" in message:
                self.drained = True

    def _relay_died(self) -> None:
        self._control.close()
        self._process.wait()
        if self._relays > _MOST_RESTARTS:
            raise RelayError("rr's relay process ended again and again; what was recorded until now is kept.")
        self._start_relay()
        self._on_notice("rr's relay process ended unexpectedly and was started again; open connections were lost.")

    def drain(self, patience: float = 5.0) -> None:
        """The app has ended: have the relay write what it still knows."""
        self._tell({"do": "drain"})
        deadline = time.monotonic() + patience
        while not self.drained and time.monotonic() < deadline:
            self._hear()
            time.sleep(0.002)  # the answer comes within a turn of the relay's loop

    # -- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the app and the relay; the journal stays."""
        self.namespace.close()
        process: subprocess.Popen[bytes] | None = getattr(self, "_process", None)
        if process is not None:
            self._control.close()  # the relay ends when rr's end of the channel is gone
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
        self._doors.close()
        for cover in self._covers:
            cover.close()
        if self._public is not None:
            shutil.rmtree(self._public, ignore_errors=True)

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _next_segment(folder: pathlib.Path) -> int:
    numbers = [int(name[:8]) for name in os.listdir(folder) if name.endswith((".seg", ".spill"))]
    return max(numbers, default=0) + 1
