"""One relayed connection: two sockets, two legs, each leg copying one way with back-pressure, half-close and reset."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator

from intercept.journal import CLIENT, FRAME, SERVER, Kind
from intercept.turns import ERR, GONE, IN, OUT, Handler, Turns
from intercept.turnstile import Turnstile, Visitor

_SMALL, _LARGE = 32 << 10, 256 << 10  # what to receive at once: small keeps allocation cheap, large keeps bulk fast
_HIGH_WATER = 256 << 10  # bytes waiting for a slow reader before its writer is held up: many readers may be slow
_AT_ONCE = 64
_DATA = int(Kind.DATA)
_LINGER_RESET = struct.pack("ii", 1, 0)


def reset_when_closed(sock: socket.socket) -> None:
    """Have the kernel end the connection with a reset when the socket is closed."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)


def acknowledge(sock: socket.socket) -> None:
    """Have the kernel say at once that it has got what came. A client that sends a message without an answer (a
    statement is closed) and then another waits 40 ms for that otherwise; it has to be said each time."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def abort(sock: socket.socket) -> None:
    """Close a socket with a reset."""
    reset_when_closed(sock)
    sock.close()


def accepted(listener: socket.socket) -> Iterator[tuple[socket.socket, tuple[str, int]]]:
    """The connections that wait at a listener just now, and who made them; not so many that others would wait."""
    for _ in range(_AT_ONCE):
        try:
            client, address = listener.accept()
        except OSError:
            return
        client.setblocking(False)
        yield client, tuple(address[:2]) if listener.family != socket.AF_UNIX else ("", 0)


class Leg:
    """The way from one socket to the other."""

    __slots__ = ("connection", "ended", "offset", "pending", "read_size", "shut", "side", "source", "target", "to")

    def __init__(self, connection: Connection, side: int, source: socket.socket, to: socket.socket) -> None:
        self.connection = connection
        self.side = side
        self.source = source.fileno()
        self.target = to.fileno()
        self.to = to
        self.offset = 0
        self.pending = bytearray()
        self.read_size = _SMALL
        self.ended = False  # the source will send no more
        self.shut = False  # the target has been told so

    def sized(self, length: int) -> None:
        """So much came at once: be prepared for what comes next."""
        self.read_size = _LARGE if length == self.read_size else _SMALL


class Connection:
    """Both legs. `recorded` is false for what the app says to itself."""

    __slots__ = ("_on_close", "_visitor", "closed", "legs", "number", "recorded", "sockets", "turns")

    def __init__(
        self,
        turns: Turns,
        number: int,
        client: socket.socket,
        server: socket.socket,
        *,
        recorded: bool,
        on_close: Callable[[], None],
        turnstile: Turnstile | None = None,
    ) -> None:
        self.turns = turns
        self._visitor = Visitor(turnstile, self._interest_both) if turnstile is not None else None
        self.number = number
        self.recorded = recorded
        self._on_close = on_close
        self.closed = False
        self.sockets = (client, server)
        up, down = Leg(self, CLIENT, client, server), Leg(self, SERVER, server, client)
        self.legs = (up, down)
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def begin(self, opening: Callable[[Leg, Leg], Handler] | None = None) -> None:
        """Start copying. `opening` makes the handlers that are to see the first bytes; they call `carry` when they
        have seen enough."""
        up, down = self.legs
        for leg, back in ((up, down), (down, up)):
            handler = (opening or self._handler)(leg, back)
            try:
                self.turns.rehandle(leg.source, handler, IN)
            except OSError:
                self.turns.watch(leg.source, handler, IN)

    def carry(self) -> Callable[[int, int], None]:
        """From now on only copy. Returns what handles an event of one side that has come already."""
        return self.hand_over(self._handler)

    def hand_over(self, make: Callable[[Leg, Leg], Handler]) -> Callable[[int, int], None]:
        """Have other handlers from now on. Returns what handles an event of one side that has come already."""
        up, down = self.legs
        handlers = (make(up, down), make(down, up))
        for leg, handler in zip(self.legs, handlers, strict=True):
            self.turns.exchange_handler(leg.source, handler)
        return lambda side, mask: handlers[side](mask)

    def detach_server(self) -> None:
        """The connection to the server is of no use; another one will replace it."""
        server = self.sockets[SERVER]
        self.turns.forget(server.fileno())
        server.close()

    def replace_server(self, server: socket.socket, make: Callable[[Leg, Leg], Handler]) -> None:
        """The new one is there. Nothing has been carried so far."""
        up, down = self.legs
        self.sockets = (self.sockets[CLIENT], server)
        up.to, up.target = server, server.fileno()
        down.source, down.ended, down.shut = server.fileno(), False, False
        up.pending.clear()
        with contextlib.suppress(OSError):
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.turns.watch(down.source, make(down, up))
        self.turns.exchange_handler(up.source, make(up, down))

    def _handler(self, leg: Leg, back: Leg) -> Callable[[int], None]:
        """What to do when the source of `leg` (which is the target of `back`) is readable, writable or gone."""
        turns, side, number, source = self.turns, leg.side, self.number, leg.source
        recorded, read, pack = self.recorded, os.read, FRAME.pack
        send = self.sender(leg)
        visitor = self._visitor

        def handle(mask: int) -> None:
            if mask & OUT:
                self.flush(back)
                if self.closed:
                    return
            if not mask & (IN | GONE):
                return
            if leg.ended:
                if mask & ERR:
                    self.reset(leg)
                elif mask & GONE:  # both directions are done here, while the other end still has bytes to come
                    turns.forget(source)
                return
            if visitor is not None and side == CLIENT and not visitor.enter():
                turns.rewatch(source, OUT if back.pending else 0)
                return
            size = leg.read_size
            try:
                data = read(source, size)
            except BlockingIOError:
                return
            except OSError:
                self.reset(leg)
                return
            length = len(data)
            if not length:
                self.end(leg, back)
                return
            leg.read_size = _LARGE if length == size else _SMALL  # as `sized` does
            if recorded and turns.recording:
                parts = turns.parts
                parts.append(pack(_DATA, side, number, leg.offset, length))
                parts.append(data)
            leg.offset += length
            turns.sends.append((send, data))
            if visitor is not None:
                visitor.saw(side, data)

        return handle

    def end(self, leg: Leg, back: Leg, last: Callable[[], None] | None = None) -> None:
        """The source of `leg` will send no more. `last`: what its target is told before."""
        leg.ended = True
        if self.recorded:
            self.turns.frame(Kind.END, leg.side, self.number, leg.offset)
        self._interest(leg, back)
        if last is not None:
            self.turns.sends.append((lambda _nothing: last(), b""))
        self.turns.sends.append((self.sender(leg), b""))

    def sender(self, leg: Leg) -> Callable[[bytes], None]:
        """What passes bytes on once they are in the journal."""
        write, target = os.write, leg.target

        def send(data: bytes) -> None:
            if data and not leg.pending and not self.closed:
                try:
                    sent = write(target, data)
                except OSError:
                    sent = 0  # it would block, or is gone: `_send` finds out which
                if sent == len(data):
                    return
                data = data[sent:]
            self._send(leg, data)

        return send

    def _send(self, leg: Leg, data: bytes) -> None:
        if self.closed:
            return
        if data and not leg.pending:
            try:
                sent = os.write(leg.target, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.reset(self.legs[1 - leg.side])
                return
            if sent == len(data):
                return
            data = data[sent:]
        if data:
            leg.pending += data
            self._interest_both()
        elif leg.ended and not leg.pending:
            self._shut(leg)

    def flush(self, leg: Leg) -> None:
        while leg.pending:
            try:
                sent = os.write(leg.target, leg.pending[:_LARGE])
            except BlockingIOError:
                break
            except OSError:
                self.reset(self.legs[1 - leg.side])
                return
            del leg.pending[:sent]
        if not leg.pending and leg.ended:
            self._shut(leg)
        if not self.closed:
            self._interest_both()

    def _shut(self, leg: Leg) -> None:
        if leg.shut:
            return
        leg.shut = True
        with contextlib.suppress(OSError):
            leg.to.shutdown(socket.SHUT_WR)
        if self.legs[0].shut and self.legs[1].shut:
            self._close()

    def _interest_both(self) -> None:
        up, down = self.legs
        self._interest(up, down)
        self._interest(down, up)

    def _interest(self, leg: Leg, back: Leg) -> None:
        mask = 0
        if not leg.ended and len(leg.pending) < _HIGH_WATER:
            mask |= IN
        if back.pending:
            mask |= OUT
        self.turns.rewatch(leg.source, mask)

    def reset(self, leg: Leg) -> None:
        """The source of `leg` is gone: so is, for the other end, the connection."""
        if self.closed:
            return
        if self.recorded:
            self.turns.frame(Kind.RESET, leg.side, self.number, leg.offset)
        if leg.pending:
            with contextlib.suppress(OSError):
                os.write(leg.target, leg.pending)
        self._close(aborted=leg.side)

    def close(self) -> None:
        """End it from our side, as a crash of the machine between would."""
        if not self.closed:
            self._close(aborted=CLIENT)

    def _close(self, aborted: int | None = None) -> None:
        self.closed = True
        if self._visitor is not None:
            self._visitor.gone()
        for sock in self.sockets:
            self.turns.forget(sock.fileno())
        if aborted is None:
            for sock in self.sockets:
                sock.close()
        else:
            # In the journal first: the other end must not see the end before it is kept.
            sockets = self.sockets
            self.turns.after(lambda: _abort_all(sockets))
        self._on_close()


def _abort_all(sockets: tuple[socket.socket, ...]) -> None:
    for sock in sockets:
        abort(sock)
