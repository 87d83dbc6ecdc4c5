"""rr's agent: the program in the container beside the app's, whose network namespace both of them share.

`agent wait` keeps the container there. `agent serve` is what rr starts in it through the engine; standard input and
output are the stream between the two (`frames`), and when it ends, the agent does. At record it runs the same relay and
journal as on the host, and the journal goes to rr as it grows (`mirror`). At replay it hands over what the app opens
and asks (`outlet`), and rr answers.

After its first steps the agent may do nothing but configure its own network. Only the standard library is needed, but
for `cryptography` when somebody speaks TLS.
"""

from __future__ import annotations

import asyncio
import base64
import os
import pathlib
import select
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from intercept import kernel, memory
from intercept.capture import Beside, Capture
from intercept.containers.frames import Frames, say
from intercept.containers.mirror import Mirror
from intercept.firewall import RELAY_USER
from intercept.launcher import Where
from intercept.namespace import Namespace
from intercept.sockdiag import listeners
from testset.errors import RRError

SHELF = pathlib.Path("/.rr")  # a volume that the agent writes and the app reads
ROOTS = "trust/roots.pem"
CLOCK = "clock/offset"  # nanoseconds that the app's clock is ahead
_STOPPING = pathlib.Path("/dev/shm/rr-stopping")  # the container is to end
_ENDED = pathlib.Path("/dev/shm/rr-ended")  # the agent has said all that it had to say
_LAST_WORDS = 8.0  # seconds
_LOOK = 0.05  # seconds between two looks at what the app listens on
_TURN = 4  # milliseconds between two looks at the journal
_PIECE = 64 << 10


class Stream:
    """The stream to rr, blocking: what rr does not take yet must wait."""

    def __init__(self) -> None:
        self._frames = Frames()
        self.ended = False

    def read(self) -> list[Any]:
        """The frames that have come; waits for the first bytes."""
        data = os.read(0, _PIECE)
        self.ended = not data
        return list(self._frames.feed(data))

    def has_some(self, milliseconds: int) -> bool:
        return bool(select.select([0], [], [], milliseconds / 1000)[0])

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]


def wait() -> None:
    """The container's first process: there until it is told to end, and then until the agent has said what it knows."""

    def ended(*_: object) -> None:
        _STOPPING.touch()
        deadline = time.monotonic() + _LAST_WORDS
        while not _ENDED.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        sys.exit(0)

    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGINT, ended)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            time.sleep(3600)


def serve() -> None:
    """Do what rr's first message says, until the stream ends."""
    stream = Stream()
    orders: list[Any] = []
    while not orders and not stream.ended:
        orders += stream.read()
    if not orders:
        return
    order = orders[0].said()
    fill(SHELF, {name: base64.b64decode(text) for name, text in order["files"].items()}, order["folders"])
    clock = os.open(SHELF / CLOCK, os.O_WRONLY | os.O_CLOEXEC) if CLOCK in order["files"] else -1
    kernel.become(RELAY_USER)
    try:
        if order["do"] == "record":
            _record(stream, order)
        else:
            from intercept.containers.outlet import Outlet

            where = Where(order["where"])
            with Namespace(where=where) as namespace:
                outlet = Outlet(namespace, clock, has_networks=where.has_networks, several=order["several"])
                asyncio.run(outlet.run())
    except (RRError, OSError) as error:
        stream.write(say({"failed": str(error)}))
    finally:
        _ENDED.touch()


def fill(shelf: pathlib.Path, files: Mapping[str, bytes], folders: list[str]) -> None:
    """What the app is to read, and folders that it may write into, whichever user it runs as."""
    shelf.chmod(0o755)
    for old in shelf.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name, content in files.items():
        path = shelf / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.write_bytes(content)
        path.chmod(0o755 if name.startswith("bin/") else 0o644)
    for name in folders:
        folder = shelf / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o1777)


def _record(stream: Stream, order: Mapping[str, Any]) -> None:
    session = memory.create({}, order["limit"])
    beside = Beside(order["authority"].encode(), SHELF / ROOTS)
    notices: list[str] = []
    stopped = None
    with Capture(
        session, order["limit"], sync=order["sync"], doors=False, beside=beside, on_notice=notices.append
    ) as capture:
        stream.write(say({"ready": True, "queue": capture.has_queue}))
        mirror = Mirror(session)
        inside = capture.namespace.inside
        there, next_look = None, 0.0
        is_over = False
        while not is_over and not stream.ended and not _STOPPING.exists():
            if stream.has_some(_TURN):
                for frame in stream.read():
                    said = frame.said()
                    is_over = is_over or said["do"] == "drain"
                    if said["do"] == "stop":
                        capture.stop_recording(said["why"])
            capture.look()
            _pass_on(stream, mirror)
            if time.monotonic() >= next_look:
                found = [one for one in listeners(inside.diag, inside.port) if one.port != inside.inbound_port]
                now = sorted([one.host, one.port, one.v6only] for one in found)
                if now != there:
                    there = now
                    stream.write(say({"listeners": now}))
                next_look = time.monotonic() + _LOOK
            while notices:
                stream.write(say({"notice": notices.pop(0)}))
            if capture.stopped != stopped:
                stopped = capture.stopped
                stream.write(say({"stopped": stopped}))
        if not stream.ended:
            capture.drain()
            while _pass_on(stream, mirror):
                pass
            stream.write(say({"drained": True}))
    session.remove()


def _pass_on(stream: Stream, mirror: Mirror) -> bool:
    some = False
    for data in mirror.frames():
        stream.write(data)
        some = True
    return some


def main() -> None:
    """Entry point: `wait` or `serve`."""
    wait() if sys.argv[1:] == ["wait"] else serve()
