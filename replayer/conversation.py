"""One connection that the app opened during a replay, and the mocks that answer on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from intercept.authority import Fault
from intercept.certificates import Certificates
from intercept.clock import Clock
from intercept.connection import acknowledge
from intercept.relay import original_destination
from protocols import generic, http
from protocols.furniture import (
    Act,
    Ask,
    Guess,
    GuessingResponder,
    Limits,
    ReadFile,
    Reply,
    Responder,
    Room,
    Send,
    SendFile,
    StartTls,
)
from protocols.registry import ROOMS, detect
from protocols.tls import ClientHello, client_hello, may_be_client_hello
from replayer.line import Line
from replayer.loading import NOWHERE, LoadedSet
from replayer.polls import Polls, nothing_yet
from replayer.story import Found, Miss, Replay
from replayer.way_out import Passed, Tunnel, ask
from testset.errors import ProtocolError, SecretError
from testset.model import Ending, Exchange, Mock, Server

if TYPE_CHECKING:
    import ssl

LIMITS = Limits(head=1 << 20, message=64 << 20, messages=4096, exchange=64 << 20)
_PIECE = 256 << 10
_FIRST_BYTES = 64 << 10
_SILENCE = 0.3  # seconds after which a way out is opened for a server that may speak first
_LONG_SILENCE = 1.5  # and after which there is no such server, where there is no way out


@dataclass(frozen=True, slots=True)
class WayOut:
    """Given only where the user said so: requests without a mock go to the real server."""

    told: Callable[[str], None]  # of each, when it leaves
    keep: Callable[[str, Exchange[Any, Any]], None] | None = None  # whose it is, and what came of it


class Answers:
    """Looks for mocks on behalf of all connections."""

    def __init__(
        self, loaded: LoadedSet, replay: Replay, told: Callable[[str], None], way_out: WayOut | None = None
    ) -> None:
        self.way_out = way_out
        self.loaded = loaded
        self.replay = replay
        self.told = told
        self.misses: list[tuple[str, Miss]] = []
        self.warnings: list[str] = []
        self.faults: list[str] = []  # of rr's own: a test in which there was one proves nothing
        self.sealed: list[str] = []  # mocks that answered with a placeholder where a secret should be, and why
        self.asked = 0
        self.certificates = Certificates()
        self.clock = Clock()  # the app's
        self.polls = Polls()
        replay.went_on = self.polls.look_again

    def find(self, room: Room, server: Server, request: Any) -> Reply | Miss:
        """The answer to a request, its values renamed for this run."""
        self.asked += 1
        found = self.replay.find(room, server, request, self.clock.now_ns())
        if isinstance(found, Miss):
            if self.way_out is None:
                self.misses.append((room.title(server, request), found))
            return found
        self.warnings.extend(found.warnings)
        return self._reply(room, found, request)

    def find_if_any(self, room: Room, server: Server, request: Any, otherwise: Reply) -> Reply:
        """The same for a request that has an answer without a mock, too."""
        self.asked += 1
        found = self.replay.find_if_any(room, server, request, self.clock.now_ns())
        return otherwise if found is None else self._reply(room, found, request)

    def delivery(self, room: Room, server: Server, request: Any) -> Reply | None:
        """What has come by now for a poll that waits."""
        found = self.replay.delivery(room, server, request, self.clock.now_ns())
        return self._reply(room, found, request) if found is not None else None

    def beginning(self, room: Room, server: Server, request: Any) -> Reply | None:
        """For a protocol that asks before its request is whole: a recording that begins so."""
        if room.opens is not None:
            opening = self.replay.opening(room, server)
            return self._reply(room, Found(mock=opening, names={}), request) if opening is not None else None
        for mock in self.replay.beginnings(room, server, request):
            return self._reply(room, Found(mock=mock, names={}), request)
        return None

    def knows(self, server: Server) -> bool:
        """Whether anything was recorded of a destination."""
        return bool(self.replay.protocols(server))

    def waited_for(self, server: Server) -> None:
        """The app waits for a server to speak first, of which nothing was recorded."""
        known = ", ".join(f"{one} ({protocol})" for protocol, one in self.replay.servers())
        self.warnings.append(
            f"connection to {server}: the app waits for the server to speak, and nothing was recorded there: ended. "
            f"Recorded were: {known or 'none'}"
        )

    def first_speaker(self, server: Server, *, secure: bool = False) -> Room | None:
        """The protocol of a destination where the server speaks first, or may. `secure`: there is TLS by now."""
        spoken = self.replay.protocols(server)
        if spoken == {generic.ROOM.name}:
            return generic.ROOM if secure == (server in self.loaded.raw_in_tls) else None
        return next((room for room in ROOMS if room.opens is not None and room.name in spoken), None)

    def tls_context(self, server: Server, hello: ClientHello) -> ssl.SSLContext:
        """How a recorded server is spoken with in TLS."""
        protocols = ("h2", "http/1.1") if server in self.loaded.http2 else ("http/1.1", "h2")
        offered = tuple(one for one in protocols if one in hello.protocols)
        return self.certificates.context(server.host, offered[:1], self._fault(server))

    def objected(self, server: Server, why: str) -> None:
        """The app has not taken the certificate that it was shown."""
        if not self._fault(server):
            self.warnings.append(f"TLS for {server} failed, the app did not take rr's certificate: {why}")

    def _fault(self, server: Server) -> Fault:
        return Fault.named(self.loaded.config.certificates.get(str(server), ""))

    def leaves(self, what: str) -> Callable[[Exchange[Any, Any]], None]:
        """A request goes to the real server: tells so, and returns what is to be called with what comes of it."""
        way_out, owner = self.way_out, self.replay.owner
        assert way_out is not None
        text = f"{what}: no mock; PASSED THROUGH to the real server"
        self.warnings.append(text)
        way_out.told(text)

        def passed(exchange: Exchange[Any, Any]) -> None:
            if way_out.keep is not None:
                earlier = self.replay.earlier_ns - self.clock.offset_ns  # the real server's time is this machine's
                started, ended = exchange.started_ns - earlier, exchange.ended_ns - earlier
                way_out.keep(owner, replace(exchange, started_ns=started, ended_ns=ended))

        return passed

    def _reply(self, room: Room, found: Found, request: Any) -> Reply:
        exchange = self._exchange(found.mock)
        if found.nothing:
            return nothing_yet(room, request, exchange)
        response = exchange.response
        if found.names and response is not None:
            response = room.rebind(response, found.names)
        if response is not None:
            response = room.fit(request, response)
        return Reply(response, exchange.ending)

    def _exchange(self, mock: Mock) -> Exchange[Any, Any]:
        for name in self.loaded.stood_in(mock):
            self.sealed.append(f'{mock.name}: {{{{secret "{name}"}}}} of the command cannot be unsealed here')
        try:
            return self.loaded.unsealed(mock, self.replay.bindings.actual)
        except SecretError as error:
            self.told(f"{mock.name}: {error}")
            self.sealed.append(f"{mock.name}: {error}")
            return mock.exchange


class Conversation(asyncio.Protocol):
    """Feeds a responder with what the app sends, and the app with what the responder says."""

    def __init__(
        self, answers: Callable[[], Answers], path: str | None = None, target: tuple[str, int] | None = None
    ) -> None:
        """`path`: of the Unix socket that the connection came to; `target`: the address that it was going to. Without
        either its socket is asked."""
        self._answers = answers
        self._path = path
        self._target = target
        self._transport: asyncio.Transport | None = None
        self._socket: Any = None
        self._server = Server("", 0)
        self._first = b""
        self._room: Room | None = None
        self._responder: Responder | None = None
        self._guessing = False  # a mock plays whose request is not known to be the app's
        self._spoke = False  # the app has been told something
        self._tunnel: Tunnel | None = None
        self._line: Line | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._socket = transport.get_extra_info("socket") if self._path is None else None
        self._line = Line(transport)
        answers = self._answers()
        self._server = self._destination(answers, transport)
        room = answers.first_speaker(self._server)
        if room is None and not answers.knows(self._server) and answers.knows(NOWHERE):
            self._server = NOWHERE  # Keploy's documents of MySQL do not say where it was
            room = answers.first_speaker(NOWHERE)
        if room is not None:
            self._begin(room)
        elif not answers.knows(self._server):
            patience = _SILENCE if answers.way_out is not None else _LONG_SILENCE
            asyncio.get_running_loop().call_later(patience, self._listen)

    def _listen(self) -> None:
        """The app says nothing: it may be for the server to begin."""
        transport, answers = self._transport, self._answers()
        assert self._line is not None
        silent = self._responder is None and self._tunnel is None and not self._first and not self._line.is_secure
        if not silent or transport is None or transport.is_closing():
            return
        if answers.way_out is not None:
            self._dig(transport, b"")
            return
        answers.waited_for(self._server)
        self._line.hang_up(reset=True)

    def _dig(self, transport: asyncio.Transport, first: bytes) -> None:
        self._responder = None
        passed = self._answers().leaves(f"connection to {self._server}")
        self._tunnel = Tunnel(self._server, transport, passed)
        if first:
            self._tunnel.send(first)

    def _destination(self, answers: Answers, transport: asyncio.Transport) -> Server:
        if self._path is not None:
            return Server(self._path, 0)
        host, port = self._target or original_destination(transport.get_extra_info("socket"))
        return answers.loaded.names.server(host, port)

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.send(data)
            return
        assert self._line is not None
        if self._socket is not None:
            acknowledge(self._socket)
        data = self._line.read(data)
        if self._line.failed is not None:
            self._objected(self._line.failed)
        if not data:
            return
        if self._responder is not None:
            self._do(lambda responder: responder.feed(data))
            return
        self._first += data
        if not self._line.is_secure and may_be_client_hello(self._first) and not self._begin_tls(self._line):
            return
        first, self._first = self._first, b""
        if self._responder is None:
            self._listen_to(first)
        else:  # in TLS, the server may speak first
            self._do(lambda responder: responder.feed(first))

    def _listen_to(self, first: bytes) -> None:
        """What the app says first."""
        guess = detect(first, b"")
        if guess is Guess.MORE and len(first) < _FIRST_BYTES:
            self._first = first
            return
        self._begin(guess if isinstance(guess, Room) else generic.ROOM)
        if self._tunnel is not None:
            self._tunnel.send(first)
        self._do(lambda responder: responder.feed(first))

    def _begin_tls(self, line: Line) -> bool:
        """The app speaks TLS from its first byte. Whether it has said something in it already."""
        answers = self._answers()
        try:
            hello = client_hello(self._first)
        except ProtocolError:
            return True  # it only looked so
        if hello is None:
            return False
        server = Server(hello.name, self._server.port) if hello.name else self._server
        if answers.way_out is not None and not answers.knows(server):
            assert self._transport is not None
            self._dig(self._transport, self._first)
            return False
        self._server = server
        self._first = line.begin_tls(answers.tls_context(server, hello), self._first)
        room = answers.first_speaker(server, secure=True)
        if room is not None:
            self._begin(room)
        return bool(self._first)

    def _objected(self, why: str) -> None:
        """The app does not take the certificate; when that was recorded so, it is as it should be."""
        self._answers().objected(self._server, why)

    def eof_received(self) -> bool:
        if self._tunnel is not None:
            self._tunnel.send_end()
        if self._responder is not None:
            self._do(lambda responder: responder.end())
        return True  # the responder hangs up when it has said all

    def pause_writing(self) -> None:
        if self._tunnel is not None:
            self._tunnel.pause(True)

    def resume_writing(self) -> None:
        if self._tunnel is not None:
            self._tunnel.pause(False)

    def connection_lost(self, error: Exception | None) -> None:
        self._count_guessed()
        self._responder = None
        if self._tunnel is not None:
            self._tunnel.close()

    def _begin(self, room: Room) -> None:
        self._room = room
        self._responder = room.responder(LIMITS)
        self._do(lambda responder: responder.start())

    def _do(self, step: Callable[[Responder], list[Act]]) -> None:
        responder, line = self._responder, self._line
        if responder is None or line is None:
            return
        try:
            acts = step(responder)
            while acts:
                act = acts.pop(0)
                if isinstance(act, Send):
                    self._spoke = True
                    line.write(act.data)
                elif isinstance(act, Ask):
                    acts = self._ask(responder, act) + acts
                elif isinstance(act, SendFile):
                    with open(act.body.path, "rb") as file:
                        while piece := file.read(_PIECE):
                            line.write(piece)
                elif isinstance(act, ReadFile):
                    with open(act.body.path, "rb") as file:
                        file.seek(act.offset)
                        acts = act.then(file.read(act.size)) + acts
                elif isinstance(act, StartTls):
                    plain = line.begin_tls(self._answers().certificates.context("", fault=Fault.UNKNOWN), act.rest)
                    if plain:
                        acts += responder.feed(plain)
                else:
                    line.hang_up(reset=act.reset)
        except ProtocolError:
            line.transport.abort()
        if self._guessing and cast(GuessingResponder, responder).played():
            self._count_guessed()

    def _count_guessed(self) -> None:
        """The request is known as a whole now: this is what the app did."""
        if self._guessing and self._room is not None:
            self._guessing = False
            self._answers().find(self._room, self._server, cast(GuessingResponder, self._responder).whole())

    def _ask(self, responder: Responder, ask: Ask) -> list[Act]:
        room, answers = self._room, self._answers()
        assert room is not None
        request = self._asked(ask.request)
        if not ask.whole:
            reply = answers.beginning(room, self._server, request) or ask.otherwise
            # What a server says first is no guess: what the client then asks for comes as a request of its own.
            self._guessing = reply is not None and room.begins is not None
            if reply is not None:
                return responder.answer(reply)
            if answers.way_out is not None and not self._spoke and self._transport is not None:
                self._dig(self._transport, b"".join(request.turns))
                return []
        if ask.otherwise is not None:
            return responder.answer(answers.find_if_any(room, self._server, request, ask.otherwise))
        found = answers.find(room, self._server, request)
        if isinstance(found, Miss):
            if answers.way_out is not None and room is http.ROOM:
                passed = answers.leaves(room.title(self._server, request))
                self._asking = asyncio.get_running_loop().create_task(self._ask_outside(request, passed))
                return []
            if answers.way_out is not None:
                answers.misses.append((room.title(self._server, request), found))
            return responder.miss(found.text, found.details)
        if found.ending is Ending.TIMED_OUT:
            return []  # silence, as recorded: the app has a time-out of its own
        if found.after:
            self._wait(room, responder, request, found)
            return []
        return responder.answer(found)

    def _wait(self, room: Room, responder: Responder, request: Any, nothing: Reply) -> None:
        """Nothing has come for a poll: it is answered as soon as something does, and told so in the end."""
        answers = self._answers()

        def look(last: bool) -> bool:
            if self._responder is not responder:
                return True  # nobody waits any more, and what has come is for another
            reply = answers.delivery(room, self._server, request) or (nothing if last else None)
            if reply is not None:
                self._do(lambda responder: responder.answer(reply))
            return reply is not None

        answers.polls.wait(look, nothing.after)

    async def _ask_outside(self, request: Any, passed: Passed) -> None:
        reply = await ask(self._server, request, passed)
        self._do(lambda responder: responder.answer(reply))

    def _asked(self, request: Any) -> Any:
        """The request as it is looked for."""
        if self._room is http.ROOM and self._line is not None and self._line.is_secure:
            return replace(request, scheme="https")
        return request
