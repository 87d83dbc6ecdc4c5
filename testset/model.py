"""The words of rr as data: exchange, test case, mock, document.

Everything here is frozen and knows no file, socket or protocol. An `Exchange` is generic in what a protocol calls
its request and its response: the protocols' rooms define those, and this room does not look inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

Request = TypeVar("Request")
Response = TypeVar("Response")


class Side(StrEnum):
    """Who sent some bytes: the one that opened the connection, or the one that accepted it."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> Side:
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


class Ending(StrEnum):
    """How an exchange ended. Each is recorded, and replays so."""

    ANSWERED = "answered"
    REFUSED = "refused"  # connect(): ECONNREFUSED
    UNREACHABLE = "unreachable"  # connect(): EHOSTUNREACH or ENETUNREACH
    TIMED_OUT = "timed out"  # connect() got no word at all
    RESET = "reset"  # the connection was reset before the answer was complete
    CUT_SHORT = "cut short"  # the connection was closed before the answer was complete
    GIVEN_UP = "given up"  # and it was the client who closed or reset it: a time-out, a stream that it had enough of
    UNKNOWN_HOST = "unknown host"  # the name did not resolve


@dataclass(frozen=True, slots=True)
class Server:
    """Where a connection went, in the app's own words: a host name when the app used one, else an address.

    `host` is lower case; every loopback address is written `localhost`, because an app that says `localhost` reaches
    127.0.0.1 on one machine and ::1 on the next. A Unix socket has its path as host and port 0.
    """

    host: str
    port: int

    def __str__(self) -> str:
        if self.port == 0:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ExchangeId:
    """Which exchange of which connection; stable across a crash and a recovery."""

    connection: int
    index: int


@dataclass(frozen=True, slots=True)
class FileBody:
    """A body too large for memory, in a file of its own. `path` is private until the store has taken it over."""

    path: Path
    size: int
    sha256: str


Body = bytes | FileBody


class BodyBuffer(Protocol):
    """Where a decoder puts a body as it arrives, so that it need not know how large bodies are kept."""

    def write(self, data: bytes) -> None: ...

    def finish(self) -> Body: ...

    def discard(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(Generic[Request, Response]):
    """One request and how it ended on one connection. Times are nanoseconds since 1970, UTC."""

    id: ExchangeId
    protocol: str  # the name of the protocol's room: "http", "generic", "dns", "mysql"
    inbound: bool  # the app was the server
    server: Server
    request: Request
    response: Response | None
    ending: Ending = Ending.ANSWERED
    started_ns: int
    ended_ns: int
    remark: str | None = None  # what the summary has to say about it: what of it was not understood


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document, parsed but not understood: what the store reads and writes.

    `extra` holds top-level keys that rr does not know (Keploy writes `curl`, users add their own); they survive a
    rewrite. `path` and `line` say where it was read, for messages.
    """

    kind: str
    name: str
    spec: Mapping[str, Any]
    version: str = "api.keploy.io/v1beta1"
    extra: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mock:
    """An outbound exchange, and whose it is: a test's name, a `+`-joined group of overlapping tests, `startup` or
    `background`."""

    name: str
    owner: str
    exchange: Exchange[Any, Any]
    document: Document | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """An inbound HTTP exchange, with what a person or rr has said about it."""

    __test__ = False  # pytest: this is no test class

    name: str
    exchange: Exchange[Any, Any]
    assertions: Mapping[str, Any] = field(default_factory=dict)
    rr: Mapping[str, Any] = field(default_factory=dict)
    document: Document | None = None
