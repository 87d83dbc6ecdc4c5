"""Sends a recorded request as it was, and reads what the app answers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from intercept.secure import client_context
from protocols.bodies import KeptBody
from protocols.furniture import Context, Decoder, Limits
from protocols.http import ROOM as HTTP
from protocols.http import wire
from protocols.http.match import split_authority
from protocols.http.versions import AnyDecoder
from protocols.http.wire import HttpRequest, HttpResponse
from replayer.peer import Peer
from testset.errors import ProtocolError
from testset.model import Ending, Exchange, ExchangeId, FileBody, Server, Side

if TYPE_CHECKING:
    import ssl

    from replayer.sending_h2 import H2Sending

_LIMITS = Limits(head=16 << 20, message=64 << 20, messages=64, exchange=64 << 20)
_IN_MEMORY = 64 << 20
_PIECE = 256 << 10


@dataclass(frozen=True, slots=True)
class Received:
    """What came of one request. `problem` says in words why there is no (whole) response, `ending` how it ended."""

    response: HttpResponse | None
    problem: str | None
    started_ns: int
    ended_ns: int
    ending: Ending = Ending.ANSWERED


async def send(
    sock: socket.socket,
    request: HttpRequest,
    timeout: float,
    tls: ssl.SSLContext | None = None,
    name: str = "",
    enough: int | None = None,
) -> Received:
    """One request on a fresh connection, which is closed. `tls` and `name` (SNI): for a server that is asked by
    https. `enough`: after so many bytes of a body the client gives up, if the answer is not complete by then."""
    context = Context(connection=0, inbound=True, server=Server("localhost", 0))
    bodies: list[KeptBody] = []

    def new_body() -> KeptBody:
        bodies.append(KeptBody(_IN_MEMORY))
        return bodies[-1]

    def has_enough() -> bool:
        if enough is None:
            return False
        both = sum(body.size for body in bodies)  # what was sent, and what has come
        return both - wire.body_size(request.body) >= enough

    decoder: Decoder = AnyDecoder(context, _LIMITS, new_body)
    started = time.time_ns()
    found: list[Exchange[Any, Any]] = []
    problem: str | None = None
    peer = Peer(sock)
    sender: asyncio.Task[None] | None = None
    streaming: H2Sending | None = None
    try:
        if tls is not None:
            async with asyncio.timeout(timeout):
                await peer.begin_tls(tls, name or None)
        if wire.is_2(request.version) and (tls is None or peer.protocol == "h2"):
            from replayer.sending_h2 import H2Sending

            streaming = H2Sending(peer, request, decoder, _LIMITS)
        else:
            sender = _write(peer, request, decoder)
        try:
            async with asyncio.timeout(timeout):
                if streaming is not None:
                    await streaming.begin()
                while not found:
                    data = await (peer if streaming is None else streaming).receive()
                    if not data:
                        found = decoder.end(Side.SERVER, Ending.ANSWERED, time.time_ns())
                        found = found or decoder.end(Side.CLIENT, Ending.ANSWERED, time.time_ns())
                        break
                    found = decoder.feed(Side.SERVER, data, time.time_ns())
                    if not found and has_enough():
                        found = decoder.end(Side.CLIENT, Ending.RESET, time.time_ns())
        finally:
            if sender is not None:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
    except TimeoutError:
        problem = f"the app did not answer within {timeout:g} s"
    except ProtocolError as error:
        problem = f"the app's answer is not valid HTTP: {error}"
    except OSError as error:
        problem = f"the connection to the app broke: {error.strerror or error}"
        found = decoder.end(Side.SERVER, Ending.RESET, time.time_ns())
    finally:
        if streaming is not None:
            streaming.close()
        peer.close()
    exchange = found[0] if found else None
    if exchange is None or exchange.response is None:
        return Received(None, problem or "the app closed the connection without an answer", started, time.time_ns())
    if exchange.ending not in (Ending.ANSWERED, Ending.GIVEN_UP):
        problem = problem or f"the app's answer is not complete ({exchange.ending})"
    return Received(exchange.response, problem, started, time.time_ns(), exchange.ending)


async def send_to_app(sock: socket.socket, request: HttpRequest, timeout: float, enough: int | None = None) -> Received:
    """The same, by https where the request says so: whoever serves that on this machine has a certificate that nobody
    need verify."""
    if request.scheme != "https":
        return await send(sock, request, timeout, enough=enough)
    protocols = ("h2",) if request.version == "2" else ("http/1.1",)
    host = wire.header(request.headers, "host") or "localhost"
    return await send(sock, request, timeout, client_context(None, protocols), split_authority(host, 443)[0], enough)


def as_spec(response: HttpResponse, request: HttpRequest, got: Received) -> Mapping[str, Any]:
    """What has come, as a document would have it."""
    exchange: Exchange[Any, Any] = Exchange(
        id=ExchangeId(0, 0),
        protocol="http",
        inbound=True,
        server=Server("localhost", 0),
        request=request,
        response=response,
        started_ns=got.started_ns,
        ended_ns=got.ended_ns,
    )
    spec: Mapping[str, Any] = HTTP.to_spec(exchange)["resp"]
    return spec


async def connected(host: str, port: int) -> socket.socket:
    """A connection from the host to a name or address."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    trouble: OSError | None = None
    for family, kind, number, _name, address in found:
        sock = socket.socket(family, kind, number)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
            return sock
        except OSError as error:
            sock.close()
            trouble = error
    raise trouble if trouble is not None else OSError(f"{host} has no address")


def renamed(request: HttpRequest, rename: Callable[[str], str]) -> HttpRequest:
    """The request with the values that this run calls otherwise."""
    headers = tuple((name, rename(value)) for name, value in request.headers)
    body = request.body
    if not isinstance(body, FileBody) and body:
        body = rename(body.decode("latin-1")).encode("latin-1", "replace")
    return replace(request, target=rename(request.target), headers=headers, body=body)


def _write(peer: Peer, request: HttpRequest, decoder: Decoder) -> asyncio.Task[None] | None:
    """Writes the request; what the socket does not take at once is written by the task, while the answer is waited for.

    A peer that hangs up has perhaps answered before: that counts, and so a broken connection is the reader's to tell.
    """
    loop = asyncio.get_running_loop()
    if isinstance(request.body, FileBody):
        return loop.create_task(_write_file(peer, request, request.body, decoder))
    data = wire.request_bytes(request)
    decoder.feed(Side.CLIENT, data, time.time_ns())
    try:
        rest = peer.send_now(data)
    except OSError:
        return None
    return loop.create_task(peer.send_rest(rest)) if rest else None


async def _write_file(peer: Peer, request: HttpRequest, body: FileBody, decoder: Decoder) -> None:
    chunked = wire.has_token(request.headers, "transfer-encoding", "chunked")

    async def write(data: bytes) -> None:
        decoder.feed(Side.CLIENT, data, time.time_ns())
        await peer.send(data)

    await write(wire.request_head(request))
    with open(body.path, "rb") as file:
        while piece := file.read(_PIECE):
            await write(wire.chunk(piece) if chunked else piece)
    if chunked:
        await write(wire.last_chunk(request.trailers))
