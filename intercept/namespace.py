"""rr's handle on the app's namespace: makes it, starts the app in it, obtains sockets of it, ends it.

The work inside is done by the launcher, a process of its own (`launcher.py`); this side is synchronous and cheap. The
network rules of the namespace lead every connection of the app to the sockets in `Inside`.
"""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intercept import kernel, passing, processes
from intercept.launcher import Where
from testset.errors import NamespaceError

ROOT = pathlib.Path(__file__).resolve().parent.parent
_BATCH = 64
_ORPHANS_CEILING = 5.0

_EXPLAIN = {
    "unshare": "The kernel forbids user namespaces to this process (a container without rights, or a sysctl).",
    "uid_map": "AppArmor restricts user namespaces (Ubuntu 24.04: kernel.apparmor_restrict_unprivileged_userns).",
    "mount": "Mounts inside the namespace are forbidden.",
    "network": "The namespace's network cannot be configured.",
    "redirect": "The kernel lacks nf_tables' NAT (CONFIG_NFT_NAT, CONFIG_NFT_REDIR).",
    "sockets": "Sockets cannot be opened inside the namespace.",
}


@dataclass(frozen=True, slots=True)
class Inside:
    """rr's sockets inside the namespace, and what the kernel offered."""

    queue: socket.socket  # new connections wait here for a verdict (if `has_queue`)
    diag: socket.socket  # asks the kernel which sockets listen
    relay_diag: socket.socket  # the same for the relay process: one socket carries one question at a time
    tcp: tuple[socket.socket, ...]  # every redirected connection arrives here
    dns: tuple[socket.socket, ...]
    udp: tuple[socket.socket, ...]  # every other datagram
    inbound: tuple[socket.socket, ...]  # in a namespace with real interfaces, what comes in over them
    has_queue: bool
    has_udp: bool
    ipv6: bool
    rootless: bool
    port: int  # of `tcp`: not one of the app's own
    inbound_port: int  # of `inbound`


def spawn(entry: str, channel: socket.socket, *, session: bool) -> subprocess.Popen[bytes]:
    """Start one of rr's own processes: isolated from the user's Python settings, with one inherited descriptor."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from {entry} import main; main()"
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code, str(channel.fileno())],
        pass_fds=[channel.fileno()],
        start_new_session=session,
    )


class Namespace:
    """A namespace with an app in it. Use as a context manager: at the end nothing of the app is left."""

    def __init__(
        self, mounts: Sequence[tuple[str, str]] = (), *, queue: bool = True, where: Where = Where.APART
    ) -> None:
        """`mounts` are (source, target) files to be covered before the app starts; `queue`: use the packet queue."""
        kernel.become_subreaper()  # orphans of a killed launcher come to rr, which ends them
        self._control, far = passing.pair()
        self._lock = threading.Lock()
        self._exit: int | None = None
        self._process = spawn("intercept.launcher", far, session=False)
        far.close()
        self._pool: dict[int, list[socket.socket]] = {4: [], 6: []}
        self.app_pid = 0
        self._net = ""  # the namespace's name in /proc
        try:
            self.inside = self._set_up(mounts, queue, where)
        except BaseException:
            self.close()
            raise

    def _set_up(self, mounts: Sequence[tuple[str, str]], queue: bool, where: Where) -> Inside:
        answer, files = self._ask(
            {
                "do": "setup",
                "where": where,
                "root": os.getuid() == 0,
                "mounts": [list(one) for one in mounts],
                "queue": queue,
            }
        )
        self._net = os.readlink(f"/proc/{self._process.pid}/ns/net")
        sockets = [socket.socket(fileno=file) for file in files]
        packets, diag, relay_diag, *rest = sockets
        tcp, dns, udp = answer["counts"]
        return Inside(
            queue=packets,
            diag=diag,
            relay_diag=relay_diag,
            tcp=tuple(rest[:tcp]),
            dns=tuple(rest[tcp : tcp + dns]),
            udp=tuple(rest[tcp + dns : tcp + dns + udp]),
            inbound=tuple(rest[tcp + dns + udp :]),
            has_queue=answer["queue"],
            has_udp=answer["udp"],
            ipv6=answer["ipv6"],
            rootless=answer["rootless"],
            port=answer["ports"][0],
            inbound_port=answer["ports"][3],
        )

    # -- the app -------------------------------------------------------------------------------------------------

    def start(self, argv: Sequence[str], environment: Mapping[str, str], folder: str, output: int | None = None) -> int:
        """Start the app; returns its process id. With `output` it writes there and reads nothing; else its standard
        streams are rr's own."""
        answer, _ = self._ask(
            {
                "do": "start",
                "argv": list(argv),
                "environment": dict(environment),
                "folder": folder,
                "drop": self.inside.rootless,
            },
            [] if output is None else [output],
        )
        self.app_pid = int(answer["pid"])
        return self.app_pid

    def exit_code(self) -> int | None:
        """The app's exit code (negative: ended by that signal); None while it runs."""
        with self._lock:
            while self._exit is None:
                try:
                    got = passing.receive(self._control, wait=False)
                except BlockingIOError:
                    break
                except ConnectionError:
                    got = None
                if got is None:
                    self._exit = -signal.SIGKILL  # the launcher was killed: the app with it
                    break
                self._note(got[0])
        return self._exit

    def signal(self, number: int, seen_within: float = 0) -> None:
        """Signal the whole tree of the app, unless the terminal did within the last `seen_within` seconds."""
        self._ask({"do": "signal", "signal": number, "seen_within": seen_within})

    def tree(self) -> list[int]:
        """The process ids of the app and of all that it started."""
        answer, _ = self._ask({"do": "tree"})
        return [int(pid) for pid in answer["pids"]]

    def stop(self, patience: Sequence[tuple[int, float]], until: Callable[[], bool] | None = None) -> int:
        """End the app: each signal in turn, each with its patience in seconds. Returns its exit code."""
        for number, seconds in patience:
            if self.exit_code() is None or self.tree():
                self.signal(number, 1.0 if number == signal.SIGINT else 0)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if (self.exit_code() is not None and not self.tree()) or (until is not None and until()):
                    break
                time.sleep(0.01)  # a poll with a ceiling: the launcher has no second channel to wait on
            if self.exit_code() is not None and not self.tree():
                break
        code = self.exit_code()
        return -signal.SIGKILL if code is None else code

    # -- sockets -----------------------------------------------------------------------------------------------

    def take_socket(self, family: int) -> socket.socket:
        """An unconnected, non-blocking TCP socket of the namespace (`family`: 4 or 6)."""
        pool = self._pool[family]
        if not pool:
            _, files = self._ask({"do": "sockets", "family": family, "count": _BATCH})
            pool.extend(socket.socket(fileno=file) for file in files)
        return pool.pop()

    def supply(self) -> socket.socket:
        """A channel on which another process can ask the launcher for sockets."""
        near, far = passing.pair()
        with self._lock:
            passing.send(self._control, {"do": "supply"}, [far.fileno()])
        far.close()
        return near

    def mask(self, mounts: Sequence[tuple[str, str]]) -> list[str]:
        """Cover files inside; returns the targets that were covered."""
        answer, _ = self._ask({"do": "mask", "mounts": [list(one) for one in mounts]})
        return list(answer["covered"])

    def mirror(self, path: str, copy: str) -> None:
        """Have a file at `path` inside, over which a socket can be mounted; `copy`: a folder to be made by rr."""
        self._ask({"do": "mirror", "path": path, "copy": copy})

    # -- the end -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the launcher, and with it all that the app left. Safe to call twice."""
        self._control.close()
        try:
            self._process.wait(6)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.returncode != 0:  # killed: its orphans have come to this process, which ends them
            self._end_orphans()
        for sockets in self._pool.values():
            while sockets:
                sockets.pop().close()
        inside = getattr(self, "inside", None)
        if inside is not None:
            for sock in (
                inside.queue,
                inside.diag,
                inside.relay_diag,
                *inside.tcp,
                *inside.dns,
                *inside.udp,
                *inside.inbound,
            ):
                sock.close()

    def _end_orphans(self) -> None:
        deadline = time.monotonic() + _ORPHANS_CEILING
        while orphans := [pid for pid in processes.descendants(os.getpid()) if self._is_inside(pid)]:
            processes.signal_all(orphans, signal.SIGKILL)
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)

    def _is_inside(self, pid: int) -> bool:
        try:
            return os.readlink(f"/proc/{pid}/ns/net") == self._net
        except OSError:
            return False

    def __enter__(self) -> Namespace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- speaking with the launcher ------------------------------------------------------------------------------

    def _ask(self, message: dict[str, object], send: Sequence[int] = ()) -> tuple[dict[str, Any], list[int]]:
        with self._lock:
            try:
                passing.send(self._control, message, list(send))
                while True:
                    got = passing.receive(self._control)
                    if got is None:
                        raise ConnectionResetError
                    if "exited" in got[0]:
                        self._note(got[0])
                        continue
                    break
            except (ConnectionError, OSError) as error:
                raise NamespaceError("The process that holds the app's namespace ended unexpectedly.") from error
        answer, files = got
        if "step" in answer:
            raise NamespaceError(
                f"This machine does not let rr make a namespace for the app: {answer['step']} failed "
                f"({answer['text']}). {_EXPLAIN.get(answer['step'], '')}".rstrip()
            )
        return answer, files

    def _note(self, message: dict[str, object]) -> None:
        if "exited" in message and isinstance(message["exited"], int):
            self._exit = message["exited"]
