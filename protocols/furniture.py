"""What every protocol's room offers to the rest of the house.

A room is a value, `Room`, made of functions and of two small machines: a `Decoder` (recording) and a `Responder`
(replay). The rest of the house knows protocols only through this page; `registry.py` lists the rooms there are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from testset.model import BodyBuffer, Ending, Exchange, FileBody, Server, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a peer may make rr keep in memory. Every machine gets one; there is no default on purpose."""

    head: int  # bytes of a message's head (HTTP: start line and headers)
    message: int  # bytes of one message that must be kept whole (MySQL: a packet; DNS: a datagram)
    messages: int  # messages waiting at once (pipelined requests)
    exchange: int  # bytes of one exchange that is kept whole in memory (MySQL: a result set)


class Guess(StrEnum):
    """What a room thinks of a connection's first bytes."""

    YES = "yes"
    NO = "no"
    MORE = "more"  # too few bytes to tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known of a connection before its first byte."""

    connection: int
    inbound: bool
    server: Server
    secure: bool = False  # it is TLS, and the bytes are what was said in it
    first_index: int = 0  # after a recovery: the index of the next exchange
    state: Mapping[str, Any] | None = None  # after a recovery: what `Decoder.state` said at this place


class Decoder(Protocol):
    """Turns the bytes of one connection into exchanges.

    Any input yields exchanges or raises `ProtocolError`; fed byte by byte or all at once, the exchanges are the same.
    After a `ProtocolError` it is fed no more, and the rest of the connection is kept as raw bytes.
    """

    def feed(self, side: Side, data: bytes, time_ns: int) -> list[Exchange[Any, Any]]:
        """Bytes that `side` sent. Returns the exchanges that they completed."""

    def end(self, side: Side, ending: Ending, time_ns: int) -> list[Exchange[Any, Any]]:
        """`side` will send no more: `ANSWERED` for an orderly end of stream, `RESET` for a reset (one call for both
        sides is enough). What lies beyond `settled()` after the last end was no exchange, and is kept as raw bytes."""

    def settled(self) -> tuple[int, int, int]:
        """How far all is finished: (bytes of the client, bytes of the server, exchanges). A new decoder with
        `first_index` set to the third, and fed from these offsets on, goes on where this one is."""

    def state(self) -> Mapping[str, Any] | None:
        """What else a new decoder has to know to go on from `settled()`, as JSON: what was agreed on when the
        connection began, say. None for a protocol whose every exchange speaks for itself."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The app made this request; whoever runs the responder looks for a mock and calls `answer` or `miss`."""

    request: Any
    whole: bool = (
        True  # False: it is only beginning (`Room.begins`, `Room.opens`); any recording that begins so will do
    )
    otherwise: Reply | None = None  # the answer where nothing was recorded; then nothing is missed


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the app."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendFile:
    """A body for the app that is kept in a file. Whoever runs the responder reads it: no room opens one."""

    body: FileBody


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A piece of a body that is kept in a file, for a protocol that has to wrap it up before it is sent. Whoever runs
    the responder reads it and calls `then`; the acts that come back are next."""

    body: FileBody
    offset: int
    size: int
    then: Callable[[bytes], list[Act]]


@dataclass(frozen=True, slots=True)
class StartTls:
    """From here on the app speaks TLS. `rest` came with the request for it, and belongs to the TLS handshake."""

    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class Hang:
    """End the connection: orderly, or by a reset."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A recorded outcome to be played to the app. `response` may be None (nothing was answered) or partial."""

    response: Any
    ending: Ending
    body: bytes | None = None  # set when the response's body was made anew (bindings)
    after: float = 0.0  # seconds: nothing has come for a poll, which is told so then, unless something comes before


Act = Ask | Send | SendFile | ReadFile | StartTls | Hang


class Responder(Protocol):
    """The server side of a protocol, for replay: what the app sent in, what the app is to get out.

    At most one `Ask` is open at a time; bytes fed meanwhile are kept (pipelining) and asked about in order.
    """

    def start(self) -> list[Act]:
        """The connection is open, and nothing was sent yet: a server that speaks first does so now."""

    def feed(self, data: bytes) -> list[Act]:
        """Bytes of the app."""

    def end(self) -> list[Act]:
        """The app will send no more."""

    def answer(self, reply: Reply) -> list[Act]:
        """The mock that was found for the open `Ask`."""

    def miss(self, text: str, details: Mapping[str, Any]) -> list[Act]:
        """No mock was found: an error in the protocol's own terms that says so."""


class GuessingResponder(Responder, Protocol):
    """The responder of a room with `begins`: it plays a mock before the request is known as a whole."""

    def whole(self) -> Any:
        """The request as far as the app has sent it."""

    def played(self) -> bool:
        """Whether the app has sent all that the chosen mock's request has, and nothing else."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two requests differ, in words a developer uses."""

    place: str  # "query.limit", "body.items[0].quantity", "path", "header.Accept", "bytes 12-15"
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.place}: recorded {self.expected}, now {self.actual}"


@dataclass(frozen=True, slots=True)
class Value:
    """One value in a request or a response, and its place: what the replay's rule of given and made-up is about."""

    place: str
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Poll:
    """A request that waits for what comes when it likes: a message of a queue."""

    nothing: Any  # the response when nothing has come
    seconds: float | None  # that it is willing to wait; None: it does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Queueing:
    """What an exchange did with a queue. Messages go by the queue's own names for them."""

    sent: tuple[str, ...] = ()
    taken: tuple[str, ...] | None = None  # by a poll: what was delivered to it, maybe nothing
    handles: tuple[str, ...] = ()  # by which what was taken is spoken of afterwards
    line: Hashable | None = None  # what was sent in one line comes in order


def no_poll(request: Any) -> Poll | None:
    """Every request is answered at once."""
    return None


def no_queueing(exchange: Exchange[Any, Any]) -> Queueing | None:
    """There are no queues."""
    return None


def no_subjects(server: Server, request: Any) -> Sequence[Hashable]:
    """It cannot be told what a request reads or changes."""
    return ()


def fits_any(request: Any, response: Any) -> Any:
    """A response says nothing about its request that would have to be right."""
    return response


def no_standing(exchange: Exchange[Any, Any]) -> Hashable | None:
    """Every exchange belongs to whoever caused it."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One protocol."""

    name: str  # "http"
    kinds: tuple[str, ...]  # kinds of documents it reads; the first is the one it writes ("Http")
    detect: Callable[[bytes, bytes], Guess]  # first bytes of the client, of the server
    decoder: Callable[[Context, Limits, Callable[[], BodyBuffer]], Decoder]
    responder: Callable[[Limits], Responder]

    # -- matching: a request is seen as a route (what must be equal as it stands), and values in places
    route: Callable[[Server, Any], Hashable]  # destination and operation: never matched across
    values: Callable[[Any], Sequence[Value]]  # of a request; places in a stable order
    response_values: Callable[[Any], Sequence[Value]]  # of a response
    rebind: Callable[[Any, Mapping[str, str]], Any]  # a response with recorded values replaced by actual ones
    is_effect: Callable[[Any], bool]  # a request that changes something
    difference: Callable[[Server, Any, Server, Any], Difference | None]  # recorded and actual; None: equal
    title: Callable[[Server, Any], str]  # "GET /users/7?full=1", for reports
    # For a room whose `Ask` may hold only the beginning of a request: does the recorded request (first) begin so? Each
    # `Ask` of a connection then replaces the choice that was made for the one before it. None: an `Ask` is whole.
    begins: Callable[[Any, Any], bool] | None = None

    # Where the server speaks first: whether it does so in this exchange, and whether it then goes on (False: it refuses
    # at once). None: it does not. At replay the responder starts when the connection opens. Such a protocol agrees on
    # things without which the rest means nothing: what its decoder gives up on is not kept as raw bytes.
    opens: Callable[[Exchange[Any, Any]], bool | None] | None = None
    # An exchange that belongs to its connection (a login, a prepared statement) and to no test: the key under which it
    # is kept once. None: it belongs to whoever caused it.
    standing: Callable[[Exchange[Any, Any]], Hashable | None] = no_standing

    # What a request reads or changes, where that can be told (tables): an effect on it may change what a read gets.
    # Requests of the same route have the same.
    subjects: Callable[[Server, Any], Sequence[Hashable]] = no_subjects

    # A response (second) made to fit the request as it was sent now: with the digest that the client will check.
    fit: Callable[[Any, Any], Any] = fits_any
    # Queues: a poll is answered by the next delivery whose time has come, or else waits; each delivery is made once.
    poll: Callable[[Any], Poll | None] = no_poll  # of a request
    queueing: Callable[[Exchange[Any, Any]], Queueing | None] = no_queueing

    # -- documents
    to_spec: Callable[[Exchange[Any, Any]], Mapping[str, Any]]
    from_spec: Callable[[str, Mapping[str, Any]], Exchange[Any, Any]]  # kind, spec; raises DocumentError
