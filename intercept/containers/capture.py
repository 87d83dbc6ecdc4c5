"""An app in a container under recording: what `intercept.capture` is for an app of this machine.

The agent keeps the journal only until rr has it: it goes over the stream into rr's own, where everything else finds it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from intercept.authority import new_authority
from intercept.containers.app import ContainerApp, end
from intercept.containers.engine import Pipe
from intercept.containers.frames import Frame, Frames, Kind, say
from intercept.containers.image import AGENT
from intercept.containers.target import Target
from intercept.journal import segment_path
from intercept.memory import SessionFolder, write
from intercept.sockdiag import Listener
from testset.errors import ContainerError, JournalError, RelayError

_READY = 30.0  # seconds that the agent may take
_AT_ONCE = 4 << 20
_PIECE = 1 << 20
_SOON = 10.0  # seconds within which an app that ends has not really been up
_GENTLY = 40.0  # seconds that everything may take to come down


class End(NamedTuple):
    """How one of the app's containers has ended."""

    code: int
    at_once: bool  # it has not really been up


class ContainerCapture:
    """Runs a docker command and records what crosses the edge around the app's containers."""

    def __init__(
        self, session: SessionFolder, limit: int, app: ContainerApp, *, sync: bool, on_notice: Callable[[str], None]
    ) -> None:
        self._session = session
        self._limit = limit
        self._app = app
        self._sync = sync
        self._on_notice = on_notice
        self._frames = Frames()
        self._pipe: Pipe | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._segments: dict[int, int] = {}  # open files
        self._written = 0
        self._news: list[dict[str, Any]] = []
        self._ends: dict[str, End] = {}  # of the app's containers, by their names
        self._told: set[str] = set()  # of whose ends a person knows
        self._told_to_stop = False
        self.has_queue = True
        self.listeners: frozenset[Listener] = frozenset()  # where the app listens
        self.stopped: str | None = None
        self.drained = False

    def start(self, command: str, environment: Mapping[str, str], folder: str, output: int | None = None) -> None:
        """Create, put the agent in its place, and then run the user's own command."""
        app = self._app
        seed = {"PYTHONHASHSEED": environment["PYTHONHASHSEED"]}
        app.make(alone=False, memory=self._limit, extra=lambda one: {} if "PYTHONHASHSEED" in one.environment else seed)
        authority = new_authority()
        files = app.trust_files(authority)
        app.start_agent()
        self._pipe = app.engine.attach(app.agent, [*AGENT, "serve"])
        order = {
            "do": "record",
            "limit": self._limit,
            "sync": self._sync,
            "authority": authority.decode(),
            "files": {name: base64.b64encode(content).decode() for name, content in files.items()},
            "folders": [],
        }
        self._pipe.send(say(order))
        self._hear_until("ready", _READY)
        self._process = app.spawn(app.foreground(), stdout=output, stderr=output)
        for one in app.targets:
            threading.Thread(target=self._wait_for, args=[one], daemon=True).start()

    # -- while it runs -------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Take what the agent has to give; returns whether it was much."""
        taken = self._take(_AT_ONCE)
        for news in self._news:
            self._note(news)
        self._news.clear()
        return taken >= _AT_ONCE

    def stop_recording(self, why: str) -> None:
        """From now on nothing is kept; the app goes on as it was."""
        self.stopped = why
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.send(say({"do": "stop", "why": why}))

    def exit_code(self) -> int | None:
        """The app's, or that of the docker command; None while they run. Raises `ContainerError` if the app has not
        really been up."""
        ends, several = dict(self._ends), len(self._app.targets) > 1
        all_ended = len(ends) == len(self._app.targets)
        for name, how in ends.items() if not self._told_to_stop else ():
            if how.at_once and (how.code or all_ended):
                ports = " Containers that are one app share one network: two cannot listen on the same port."
                raise ContainerError(
                    f"{name} ended at once, with exit code {how.code}.",
                    remedy="See what it has said above; run the docker command by itself, without rr."
                    + (ports if several else ""),
                )
        code = self._process.poll() if self._process is not None else None
        if code is None and not all_ended:
            for name in ends.keys() - self._told:
                self._told.add(name)
                self._on_notice(f"{name} has ended, with exit code {ends[name].code}; the others go on.")
        return code if code is not None else self._ended()

    def _ended(self) -> int | None:
        """The app's exit code, once all of it has ended."""
        codes = [one.code for one in dict(self._ends).values()]
        return next((code for code in codes if code), 0) if len(codes) == len(self._app.targets) else None

    def stop(self, steps: Sequence[tuple[int, float]], until: Callable[[], bool] | None = None) -> int:
        """End everything, as Ctrl-C would."""
        self._told_to_stop = True
        process = self._process
        if process is None:
            return 0
        import signal

        for number, patience in ((signal.SIGINT, _GENTLY), (signal.SIGINT, 10.0), (signal.SIGKILL, 5.0)):
            if process.poll() is None:
                process.send_signal(number)
            deadline = time.monotonic() + patience
            while process.poll() is None and time.monotonic() < deadline:
                if until is not None and until():
                    break
                self._take(_AT_ONCE)
                time.sleep(0.005)
            if process.poll() is not None:
                break
        ended = self._ended()
        return ended if ended is not None else process.returncode or 0

    def drain(self, patience: float = 5.0) -> None:
        """Take the last that the agent has: it may not know yet that it is over."""
        if self._pipe is not None and not self.drained:
            with contextlib.suppress(OSError):
                self._pipe.send(say({"do": "drain"}))
        deadline = time.monotonic() + patience
        while self._pipe is not None and not self.drained and time.monotonic() < deadline:
            self._take(_AT_ONCE, wait=0.05)
            for news in self._news:
                self._note(news)
            self._news.clear()

    def close(self) -> None:
        if self._process is not None:
            end(self._process)
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        for file in self._segments.values():
            os.close(file)
        self._segments.clear()
        self._app.close()

    def __enter__(self) -> ContainerCapture:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the stream ----------------------------------------------------------------------------------------------

    def _take(self, most: int, wait: float = 0) -> int:
        """Read what has come, unless rr's own journal is full; returns how much."""
        taken = 0
        while self._pipe is not None and taken < most and self._backlog() < self._limit:
            if not select.select([self._pipe], [], [], wait)[0]:
                break
            try:
                data = self._pipe.receive(_PIECE)
            except OSError:
                data = None
            if data is None:
                self._lost()
                break
            taken += len(data)
            for frame in self._frames.feed(data):
                self._keep(frame)
        return taken

    def _keep(self, frame: Frame) -> None:
        if frame.kind is not Kind.JOURNAL:
            self._news.append(frame.said())
            return
        file = self._segments.get(frame.number)
        if file is None:
            for old in self._segments.values():
                os.close(old)
            self._segments.clear()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            file = self._segments[frame.number] = os.open(segment_path(self._session.path, frame.number), flags, 0o600)
        if self.stopped is not None:
            return
        try:
            write(self._session.path, file, frame.payload)
            self._written += len(frame.payload)
        except JournalError as error:
            self.stop_recording(str(error))

    def _backlog(self) -> int:
        try:
            return self._written - int((self._session.path / "released").read_bytes())
        except FileNotFoundError:
            return self._written

    def _lost(self) -> None:
        """The stream has ended."""
        pipe, self._pipe = self._pipe, None
        assert pipe is not None
        pipe.close()
        said = pipe.errors.decode("utf-8", "replace").strip()
        if not self.drained and not self._told_to_stop and self._process is not None:
            raise RelayError(
                f"The agent beside {self._app.name} has ended{': ' + said.splitlines()[-1] if said else ''}."
            )

    def _hear_until(self, word: str, patience: float) -> None:
        deadline = time.monotonic() + patience
        while True:
            self._take(_AT_ONCE, wait=0.05)
            for news in self._news:
                if "failed" in news:
                    raise ContainerError(f"The agent beside {self._app.name} cannot work: {news['failed']}")
                if word in news:
                    self.has_queue = bool(news.get("queue", True))
                    self._news.clear()
                    return
            if self._pipe is None or time.monotonic() > deadline:
                raise ContainerError(f"The agent beside {self._app.name} did not start.")

    def _note(self, news: dict[str, Any]) -> None:
        if "notice" in news:
            self._on_notice(news["notice"])
        if "stopped" in news and self.stopped is None:
            self.stopped = news["stopped"]
        if "drained" in news:
            self.drained = True
        if "listeners" in news:
            self.listeners = frozenset(Listener(host, port, only) for host, port, only in news["listeners"])

    def _wait_for(self, one: Target) -> None:
        """In a thread of its own: the engine answers when a container has ended for good."""
        if (one.container.attrs["HostConfig"].get("RestartPolicy") or {}).get("Name") not in (None, "", "no"):
            return
        import docker
        import requests

        try:
            while not one.is_up("service_started"):
                time.sleep(0.05)
            began = time.monotonic()
            code = int(one.container.wait()["StatusCode"])
        except (docker.errors.DockerException, requests.RequestException, OSError):
            return  # the engine is gone, or the container with it: the docker command says so
        self._ends[one.name] = End(code, time.monotonic() - began < _SOON)
