"""The one deliberate way out of a replay: `--on-miss passthrough` and `record`.

Without it nothing leaves, and a request without a mock is an error. With it, such a request goes to its real
destination, from the host and through rr, and whoever runs the replay is told of each. HTTP goes request by request, so
that a connection may be answered by mocks and by the real server in turn; what rr cannot read is carried as it is.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from intercept.connection import reset_when_closed
from protocols import generic, http
from protocols.bodies import KeptBody
from protocols.furniture import Context, Limits, Reply
from protocols.generic.wire import GenericRequest
from protocols.http.wire import HttpRequest
from replayer.sending import connected, send
from testset.errors import ProtocolError
from testset.model import Ending, Exchange, ExchangeId, Server, Side

if TYPE_CHECKING:
    import ssl

_ANSWER_CEILING = 60.0  # seconds; the app has a time-out of its own
_LIMITS = Limits(head=1 << 20, message=64 << 20, messages=4096, exchange=64 << 20)

Passed = Callable[[Exchange[Any, Any]], None]


async def resolves(name: str) -> bool:
    """Whether the host knows this name."""
    try:
        await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return True


async def ask(server: Server, request: HttpRequest, passed: Passed) -> Reply:
    """What the real server answers."""
    started = time.time_ns()
    try:
        sock = await _dial(server)
    except OSError as error:
        ending = _failure(error)
        passed(_exchange(http.ROOM.name, server, request, None, ending, started))
        return Reply(None, ending)
    tls = _verifying("h2" if request.version == "2" else "http/1.1") if request.scheme == "https" else None
    got = await send(sock, request, _ANSWER_CEILING, tls, server.host)
    ending = Ending.ANSWERED if got.problem is None else Ending.CUT_SHORT
    passed(_exchange(http.ROOM.name, server, request, got.response, ending, started))
    return Reply(got.response, ending)


class Tunnel(asyncio.Protocol):
    """Carries a connection whose protocol rr cannot read: this is the side of the real server."""

    def __init__(self, server: Server, app: asyncio.Transport, passed: Passed) -> None:
        self._server = server
        self._app = app
        self._passed = passed
        self._real: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._ended: set[Side] = set()
        context = Context(connection=0, inbound=False, server=server)
        self._decoder = generic.ROOM.decoder(context, _LIMITS, lambda: KeptBody(_LIMITS.message))
        self._decoding = True
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        started = time.time_ns()
        try:
            sock = await _dial(self._server)
            await loop.create_connection(lambda: self, sock=sock)
        except OSError as error:
            ending = _failure(error)
            request = GenericRequest(turns=())
            self._passed(_exchange(generic.ROOM.name, self._server, request, None, ending, started))
            reset_when_closed(self._app.get_extra_info("socket"))
            self._app.abort()

    # -- what the app sends ---------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        if self._real is None:
            self._early.append(data)
            return
        self._note(Side.CLIENT, data)
        self._real.write(data)

    def send_end(self) -> None:
        self._end(Side.CLIENT)
        if self._real is not None and not self._real.is_closing():
            self._real.write_eof()

    def close(self) -> None:
        """The app is gone."""
        self._task.cancel()
        if self._real is not None:
            self._real.close()

    # -- what the real server sends -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._real = transport
        early, self._early = self._early, []
        for data in early:
            self.send(data)
        if Side.CLIENT in self._ended:
            transport.write_eof()

    def data_received(self, data: bytes) -> None:
        self._note(Side.SERVER, data)
        self._app.write(data)

    def pause(self, slow: bool) -> None:
        """The app is slow to read: so is rr; or no longer."""
        if self._real is not None and not self._real.is_closing():
            (self._real.pause_reading if slow else self._real.resume_reading)()

    def pause_writing(self) -> None:
        self._app.pause_reading()

    def resume_writing(self) -> None:
        self._app.resume_reading()

    def eof_received(self) -> bool:
        if not self._app.is_closing():
            self._app.write_eof()
        self._end(Side.SERVER)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        for side in (Side.SERVER, Side.CLIENT):
            self._end(side, Ending.RESET if error is not None else Ending.ANSWERED)
        self._app.close()

    def _end(self, side: Side, ending: Ending = Ending.ANSWERED) -> None:
        """No more from this side; after both, the conversation is complete."""
        if side in self._ended:
            return
        self._ended.add(side)
        if self._decoding:
            for exchange in self._decoder.end(side, ending, time.time_ns()):
                self._passed(exchange)
        if len(self._ended) == 2 and self._real is not None:
            self._real.close()

    def _note(self, side: Side, data: bytes) -> None:
        if self._decoding:
            try:
                self._decoder.feed(side, data, time.time_ns())
            except ProtocolError:
                self._decoding = False  # too much to keep: it is passed on all the same


async def _dial(server: Server) -> socket.socket:
    if server.port:
        return await connected(server.host, server.port)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, server.host)
    except OSError:
        sock.close()
        raise
    return sock


@cache
def _verifying(protocol: str) -> ssl.SSLContext:
    """As a client of this machine verifies servers."""
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols([protocol])
    return context


def _failure(error: OSError) -> Ending:
    match error:
        case ConnectionRefusedError() | FileNotFoundError():
            return Ending.REFUSED
        case socket.gaierror():
            return Ending.UNKNOWN_HOST
        case TimeoutError():
            return Ending.TIMED_OUT
        case _:
            return Ending.UNREACHABLE


def _exchange(
    protocol: str, server: Server, request: Any, response: Any, ending: Ending, started_ns: int
) -> Exchange[Any, Any]:
    return Exchange(
        id=ExchangeId(0, 0),
        protocol=protocol,
        inbound=False,
        server=server,
        request=request,
        response=response,
        ending=ending,
        started_ns=started_ns,
        ended_ns=time.time_ns(),
    )
