"""The relay: a process of its own that carries every connection of the app and keeps its bytes in the journal.

It gets all its sockets from rr (`passing`): those inside the app's namespace, the listeners on the host, a channel to
the launcher for more. It opens the real connections itself, from the host. It parses nothing, but see
`opening` and `turnstile`.

Outbound, a connection is dialled when its first packet knocks at the gate, so that the app's `connect()` ends as it
would without rr; where the kernel has no packet queue, it is accepted first and dialled then.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import resource
import signal
import socket
import struct
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from intercept import memory, passing
from intercept.connection import Connection, abort, accepted
from intercept.datagrams import Datagrams, NameServers
from intercept.gate import Gate, Knock
from intercept.journal import CLIENT, JournalWriter, Kind
from intercept.opening import Opening, Openings
from intercept.sockdiag import is_own, listeners
from intercept.turns import OUT, Turns
from intercept.turnstile import Turnstile

_SO_ORIGINAL_DST = 80
_POOL_LOW, _POOL_BATCH = 24, 64
_UNCLAIMED = 10.0  # seconds that a dialled connection waits for the app's kernel to complete its own
_USUAL = ("127.0.0.1", "::ffff:127.0.0.1", "::1")  # what the kernel takes by itself for a connection inside
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)


@dataclass(frozen=True, slots=True)
class Door:
    """A listener on the host for a port that the app has opened."""

    listener: socket.socket
    host: str  # where the app listens, inside
    port: int


@dataclass(slots=True)
class Dial:
    """A connection to a real server that is being made."""

    sock: socket.socket
    knock: Knock
    started_ns: int


class Relay:
    """Everything that the relay process holds."""

    def __init__(self, control: socket.socket, settings: dict[str, Any], sockets: list[socket.socket]) -> None:
        self._control = control
        queue, self._diag, self._supply, *rest = sockets
        tcp, dns, udp = settings["counts"]
        self._own_port = settings["port"]
        self._inbound_port = settings["inbound_port"]  # 0: what comes in comes through doors on the host
        self._number: int = settings["first_connection"]
        self._connections: dict[int, Connection] = {}
        self._dials: dict[Knock, Dial] = {}
        self._ready: dict[tuple[str, int], dict[tuple[str, int], Dial]] = defaultdict(dict)  # by target, by source
        self._doors: dict[int, Door] = {}
        self._pool: dict[int, list[socket.socket]] = {4: [], 6: []}
        self._asked = {4: False, 6: False}
        self._turnstile = Turnstile() if settings["sync"] else None
        self._writing = memory.hold(pathlib.Path(settings["journal"]))
        journal = JournalWriter(pathlib.Path(settings["journal"]), settings["limit"], settings["first_segment"])
        self._journal = journal
        self._turns = Turns(journal, self._recording_stopped)
        self._told_stop = False
        self._openings = Openings(settings["authority"].encode(), pathlib.Path(settings["roots"]))
        self._turns.watch(control.fileno(), self._on_control)
        self._turns.watch(self._supply.fileno(), self._on_supply)
        self._gate = Gate(queue) if settings["has_queue"] else None
        if self._gate is not None:
            self._turns.watch(self._gate.fileno(), self._on_knock)
        for listener in rest[:tcp]:
            listener.setblocking(False)
            self._turns.watch(listener.fileno(), self._acceptor(listener))
        servers = [(host, port) for host, port in settings["name_servers"]]
        self._names = NameServers(self._turns, rest[tcp : tcp + dns], servers)
        self._datagrams = Datagrams(self._turns, rest[tcp + dns : tcp + dns + udp], self._special_socket)
        for listener in rest[tcp + dns + udp :]:
            self._let_in(listener)

    def run(self) -> None:
        if self._number:
            why = "rr's relay process ended unexpectedly: the connections that were open then were cut off"
            self._turns.frame(Kind.GAP, 0, 0, 0, json.dumps({"why": why}).encode())
        passing.send(self._control, {"ready": True})
        self._turns.run()
        self._journal.close()

    # -- what rr says ------------------------------------------------------------------------------------------

    def _on_control(self, _mask: int) -> None:
        try:
            got = passing.receive(self._control, wait=False)
        except BlockingIOError:
            return
        except ConnectionError:
            got = None
        if got is None:  # rr is gone; the journal stays for a recovery
            self._turns.running = False
            return
        message, files = got
        if message["do"] == "listen":
            self._open_door(socket.socket(fileno=files[0]), message["host"], message["port"])
        elif message["do"] == "unix":
            self._cover(socket.socket(fileno=files[0]), message["path"])
        elif message["do"] == "unlisten":
            self._close_door(message["host"], message["port"])
        elif message["do"] == "stop":
            self._told_stop = True
            self._turns.stop_recording(message["why"])
        elif message["do"] == "drain":
            self._drain()
        elif message["do"] == "quit":
            self._drain()
            self._turns.running = False

    def _recording_stopped(self, why: str) -> None:
        if not self._told_stop:
            self._told_stop = True
            with contextlib.suppress(OSError):
                passing.send(self._control, {"stopped": why})

    def _drain(self) -> None:
        """The app is gone: note what never got an answer, so that the recorder knows that nothing more comes."""
        for dial in list(self._dials.values()):
            self._failed(dial, errno.ETIMEDOUT)
        self._dials.clear()
        totals = {"drained": True, **self._datagrams.totals()}
        self._turns.frame(Kind.NOTE, 0, 0, 0, json.dumps(totals).encode())
        self._turns.after(lambda: passing.send(self._control, {"drained": True, "open": len(self._connections)}))

    # -- inbound -------------------------------------------------------------------------------------------------

    def _open_door(self, listener: socket.socket, host: str, port: int) -> None:
        listener.setblocking(False)
        door = Door(listener, host, port)
        self._doors[listener.fileno()] = door

        def accept(_mask: int) -> None:
            for client, (peer, peer_port) in accepted(listener):
                self._enter(door, client, peer, peer_port)

        self._turns.watch(listener.fileno(), accept)

    def _close_door(self, host: str, port: int) -> None:
        for descriptor, door in list(self._doors.items()):
            if (door.host, door.port) == (host, port):
                self._turns.forget(descriptor)
                del self._doors[descriptor]
                door.listener.close()

    def _let_in(self, listener: socket.socket) -> None:
        """In a namespace with real interfaces, all that comes in over them is led to this listener."""
        listener.setblocking(False)

        def accept(_mask: int) -> None:
            for client, (peer, peer_port) in accepted(listener):
                host, port = original_destination(client)
                if port in (self._own_port, self._inbound_port):
                    abort(client)
                    continue
                self._enter(Door(listener, host, port), client, peer, peer_port)

        self._turns.watch(listener.fileno(), accept)

    def _enter(self, door: Door, client: socket.socket, peer: str, peer_port: int) -> None:
        """A client came to the host: connect it with the app inside, from the client's own address."""
        mapped = peer.startswith("::ffff:")
        host = door.host
        if host == "0.0.0.0":
            host = "127.0.0.1"
        elif host == "::":
            host = "::ffff:127.0.0.1" if mapped else "::1"
        try:
            inner = self._own_socket(6 if ":" in host else 4)
            if peer not in _USUAL and not self._inbound_port:  # with real interfaces its answers would leave
                with contextlib.suppress(OSError):
                    inner.bind((peer, 0))
            code = inner.connect_ex((host, door.port))
        except OSError:
            abort(client)
            return
        if code not in (0, errno.EINPROGRESS):
            abort(client)
            inner.close()
            return
        number = self._next()
        there = "0.0.0.0" if self._inbound_port else door.host  # a container's address is another each time
        facts = {"inbound": True, "client": [peer.removeprefix("::ffff:"), peer_port], "server": [there, door.port]}
        self._when_connected(
            inner,
            done=lambda: self._join(number, client, inner, facts, recorded=True),
            failed=lambda _code: abort(client),
        )

    # -- outbound ------------------------------------------------------------------------------------------------

    def _on_knock(self, _mask: int) -> None:
        assert self._gate is not None
        for knock in self._gate.knocks():
            if knock.inbound:
                self._visit(self._gate, knock)
                continue
            if self._is_own(knock.source[0], *knock.target):
                self._gate.let_be(knock)
                continue
            try:
                sock = socket.socket(_family(knock.target[0]), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                code = sock.connect_ex(knock.target)
            except OSError as error:
                self._refuse(knock, error.errno or errno.ECONNREFUSED)
                continue
            dial = Dial(sock, knock, self._turns.now_ns)
            if code not in (0, errno.EINPROGRESS):
                self._failed(dial, code)
                continue
            self._dials[knock] = dial
            self._when_connected(sock, done=self._dialled(dial), failed=self._not_dialled(dial))

    def _visit(self, gate: Gate, knock: Knock) -> None:
        """Somebody knocks at the app's namespace: where the app does not listen, its kernel says so."""
        if any(one.port == knock.target[1] for one in listeners(self._diag, self._own_port)):
            gate.let_in(knock)
        else:
            gate.let_be(knock)

    def _is_own(self, source: str, host: str, port: int) -> bool:
        """Whether the app talks to itself."""
        return (self._inbound_port != 0 and source == host) or is_own(self._diag, self._own_port, host, port)

    def _dialled(self, dial: Dial) -> Callable[[], None]:
        def done() -> None:
            assert self._gate is not None
            self._dials.pop(dial.knock, None)
            self._ready[dial.knock.target][dial.knock.source] = dial
            self._gate.let_in(dial.knock)
            self._turns.later(_UNCLAIMED, lambda: self._unclaimed(dial))

        return done

    def _not_dialled(self, dial: Dial) -> Callable[[int], None]:
        def failed(code: int) -> None:
            if self._dials.pop(dial.knock, None) is not None:
                self._failed(dial, code)

        return failed

    def _failed(self, dial: Dial, code: int) -> None:
        """The real server cannot be reached: neither can the one that the app sees."""
        with contextlib.suppress(OSError):
            dial.sock.close()
        number = self._next()
        how = "refused" if code == errno.ECONNREFUSED else "unreachable" if code in _UNREACHABLE else "timed out"
        facts = {
            "inbound": False,
            "client": list(dial.knock.source),
            "server": list(dial.knock.target),
            "how": how,
            "started_ns": dial.started_ns,
        }
        self._turns.frame(Kind.FAILED, 0, number, 0, json.dumps(facts).encode())
        self._turns.after(lambda: self._refuse(dial.knock, code))

    def _refuse(self, knock: Knock, code: int) -> None:
        if self._gate is None:
            return
        if code == errno.ETIMEDOUT:
            self._gate.forget(knock)
        elif code in _UNREACHABLE:
            self._gate.unreachable(knock)
        else:
            self._gate.refuse(knock)

    def _unclaimed(self, dial: Dial) -> None:
        ready = self._ready[dial.knock.target]
        if ready.get(dial.knock.source) is dial:
            del ready[dial.knock.source]
            dial.sock.close()

    def _acceptor(self, listener: socket.socket) -> Callable[[int], None]:
        def accept(_mask: int) -> None:
            for client, source in accepted(listener):
                self._leave(client, source)

        return accept

    def _leave(self, client: socket.socket, source: tuple[str, int]) -> None:
        """The app opened a connection; its real counterpart is there already, or is dialled now."""
        target = original_destination(client)
        if ready := self._ready.get(target):
            # Two connections may come from one port if they go to different servers; the kernel then gives the second
            # another one, and its dial is known by the target alone. One that goes to the same server is as good.
            dial = ready.pop(source, None) or ready.pop(next(iter(ready)))
            facts = {"inbound": False, "client": list(source), "server": list(target), "started_ns": dial.started_ns}
            self._join(self._next(), client, dial.sock, facts, recorded=True)
            return
        if target[1] == self._own_port:  # somebody found rr's own port
            abort(client)
            return
        own = self._is_own(source[0], *target)
        try:
            if own:
                sock = self._own_socket(6 if ":" in target[0] else 4)
            else:
                sock = socket.socket(_family(target[0]), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            code = sock.connect_ex(target)
        except OSError:
            abort(client)
            return
        late = Dial(sock, Knock(source, target), self._turns.now_ns)
        facts = {"inbound": False, "client": list(source), "server": list(target), "started_ns": late.started_ns}

        def failed(code: int) -> None:
            if not own:
                self._failed(late, code)
            self._turns.after(lambda: abort(client))

        if code not in (0, errno.EINPROGRESS):
            failed(code)
            return
        number = self._next()
        self._when_connected(
            sock, done=lambda: self._join(number, client, sock, facts, recorded=not own), failed=failed
        )

    def _cover(self, listener: socket.socket, path: str) -> None:
        """Connections to rr's socket go to the real one that it covers."""
        listener.setblocking(False)

        def accept(_mask: int) -> None:
            for client, _source in accepted(listener):
                facts = {"inbound": False, "client": ["", 0], "server": [path, 0], "started_ns": self._turns.now_ns}
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    server.connect(path)
                except OSError as error:
                    server.close()
                    self._failed(Dial(server, Knock(("", 0), (path, 0)), self._turns.now_ns), error.errno or 0)
                    self._turns.after(client.close)
                    continue
                server.setblocking(False)
                self._join(self._next(), client, server, facts, recorded=True)

        self._turns.watch(listener.fileno(), accept)

    # -- both ----------------------------------------------------------------------------------------------------

    def _join(
        self, number: int, client: socket.socket, server: socket.socket, facts: dict[str, Any], *, recorded: bool
    ) -> None:
        target = (facts["server"][0], facts["server"][1])
        if recorded and target in self._openings.unread:
            recorded = False
            self._turns.frame(Kind.NOTE, 0, 0, 0, json.dumps({"encrypted": target}).encode())
        if recorded:
            self._turns.frame(Kind.OPEN, CLIENT, number, 0, json.dumps(facts).encode())
        connection = Connection(
            self._turns,
            number,
            client,
            server,
            recorded=recorded,
            on_close=lambda: self._forget(number),
            turnstile=self._turnstile if facts["inbound"] else None,
        )
        self._connections[number] = connection
        if recorded:
            connection.begin(Opening(self._openings, connection, target, inbound=facts["inbound"]).handler)
        else:
            connection.begin()

    def _when_connected(self, sock: socket.socket, done: Callable[[], None], failed: Callable[[int], None]) -> None:
        def ready(_mask: int) -> None:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._turns.forget(sock.fileno())
            if code:
                sock.close()
                failed(code)
            else:
                done()

        self._turns.watch(sock.fileno(), ready, OUT)

    def _forget(self, number: int) -> None:
        self._connections.pop(number, None)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _own_socket(self, family: int) -> socket.socket:
        """A socket inside the namespace; more are asked for before the last is gone."""
        pool = self._pool[family]
        if len(pool) < _POOL_LOW and not self._asked[family]:
            self._asked[family] = True
            passing.send(self._supply, {"do": "sockets", "family": family, "count": _POOL_BATCH})
        while not pool:
            self._take_supply(wait=True)
        return pool.pop()

    def _special_socket(self, message: dict[str, Any]) -> socket.socket:
        """Ask the launcher for one special socket and wait for it."""
        while self._asked[4] or self._asked[6]:
            self._take_supply(wait=True)
        passing.send(self._supply, message)
        got = passing.receive(self._supply)
        if got is None or not got[1]:
            raise OSError(errno.EADDRNOTAVAIL, "no socket")
        return socket.socket(fileno=got[1][0])

    def _on_supply(self, _mask: int) -> None:
        with contextlib.suppress(OSError):  # nothing there after all, or the launcher is gone: rr sees that itself
            self._take_supply(wait=False)

    def _take_supply(self, wait: bool) -> None:
        got = passing.receive(self._supply, wait=wait)
        if got is None:
            self._turns.forget(self._supply.fileno())
            raise OSError(errno.EPIPE, "the launcher is gone")
        message, files = got
        family = message["family"]
        self._asked[family] = False
        self._pool[family].extend(socket.socket(fileno=file) for file in files)


def original_destination(sock: socket.socket) -> tuple[str, int]:
    """Where a redirected connection was going."""
    if sock.family == socket.AF_INET6:
        raw = sock.getsockopt(socket.IPPROTO_IPV6, _SO_ORIGINAL_DST, 28)
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]), struct.unpack("!H", raw[2:4])[0]
    raw = sock.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16)
    return socket.inet_ntop(socket.AF_INET, raw[4:8]), struct.unpack("!H", raw[2:4])[0]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def main() -> None:
    """Entry point: the descriptor of the control channel is the first argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    got = passing.receive(control)
    if got is None:
        return
    settings, files = got
    sys.path.extend(settings["packages"])  # for `cryptography`, should somebody speak TLS
    try:
        Relay(control, settings, [socket.socket(fileno=file) for file in files]).run()
    except OSError as error:
        with contextlib.suppress(OSError):
            passing.send(control, {"failed": f"{error}", "errno": error.errno})
        if os.environ.get("RR_DEBUG"):
            raise
