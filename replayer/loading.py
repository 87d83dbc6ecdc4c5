"""A test set, read for a replay: its tests in order, its mocks by reference, what names resolve to.

A mock is read once for its keys and again when it answers, so that a large `mocks.yml` costs little memory. Secrets
stay sealed in what is matched and reported; they are unsealed only in what goes over the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from protocols.furniture import Room
from protocols.registry import ROOMS, room_for_kind, room_named
from testset.config import SetConfig
from testset.errors import DocumentError, SecretError
from testset.model import Document, Exchange, FileBody, Mock, Server, TestCase
from testset.secrets import Vault
from testset.store import TestSet
from testset.text import DocumentRef, read_document

KINDS = frozenset(kind for room in ROOMS for kind in room.kinds)
_DNS_OWNER = "dns"


@dataclass(frozen=True, slots=True)
class LoadedTest:
    """A test, sealed and as it goes over the wire; `unsealed` is None when a secret of it cannot be had."""

    case: TestCase
    unsealed: Exchange[Any, Any] | None
    problem: str | None = None


@dataclass(slots=True)
class Names:
    """What the app's names resolve to, and which name an address stands for."""

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)  # (name, type) -> recorded response
    names: dict[str, str] = field(default_factory=dict)  # address -> name
    made: dict[str, str] = field(default_factory=dict)  # name -> an address of rr's own making

    def knows(self, name: str) -> bool:
        return name in self.made or any(known == name for known, _type in self.answers)

    def server(self, host: str, port: int) -> Server:
        """The destination of a connection, as the recording names it."""
        if host.startswith("127.") or host in ("::1", "0.0.0.0", "::"):
            return Server("localhost", port)
        return Server(self.names.get(host, host), port)


class LoadedSet:
    """A test set in memory, as far as it has to be."""

    def __init__(self, test_set: TestSet, vault: Vault) -> None:
        self.test_set = test_set
        self.config: SetConfig = test_set.config()
        self._vault = vault
        self._refs: dict[str, DocumentRef] = {}
        self.names = Names()
        self.tests = [self._test(document) for document in test_set.tests(KINDS)]
        self.failing: dict[Server, set[str]] = {}  # where connect() failed, and in whose time
        self._answering: set[Server] = set()

    def mocks(self) -> Iterator[Mock]:
        """Every mock but the name look-ups, one at a time."""
        for ref, document in self.test_set.mocks(KINDS):
            room = room_for_kind(document.kind)
            exchange = self._read(room, document)
            owner = _owner(document)
            if room.name == "dns":
                self._learn(exchange)
                continue
            self._refs[document.name] = ref
            server = exchange.server
            if exchange.response is None and room.name == "generic":
                self.failing.setdefault(server, set()).add(owner)
            else:
                self._answering.add(server)
            self._name(server.host)
            yield Mock(name=document.name, owner=owner, exchange=exchange)

    def recall(self, mock: Mock) -> Callable[[], Mock]:
        """How to read a mock again: what `Story` keeps of it."""
        ref, name, owner = self._refs[mock.name], mock.name, mock.owner

        def again() -> Mock:
            document = read_document(ref)
            return Mock(name=name, owner=owner, exchange=self._read(room_for_kind(document.kind), document))

        return again

    def unsealed(self, mock: Mock) -> Exchange[Any, Any]:
        """The exchange of a mock with its secrets in it. Raises `SecretError`."""
        document = read_document(self._refs[mock.name])
        document = replace(document, spec=self._vault.unseal_tree(document.spec))
        exchange = self._read(room_for_kind(document.kind), document)
        response = exchange.response
        body = getattr(response, "body", None)
        if response is not None and isinstance(body, FileBody):
            path = self.test_set.asset(str(body.path))
            exchange = replace(exchange, response=replace(response, body=replace(body, path=path)))
        return exchange

    def unix_sockets(self) -> list[str]:
        """The Unix sockets that the app spoke with."""
        return sorted(server.host for server in self._answering if server.host.startswith("/"))

    def always_fails(self, server: Server) -> bool:
        return server in self.failing and server not in self._answering

    # -- reading -------------------------------------------------------------------------------------------------

    def _test(self, document: Document) -> LoadedTest:
        room = room_for_kind(document.kind)
        exchange = self._read(room, document)
        case = TestCase(
            name=document.name,
            exchange=exchange,
            assertions=document.spec.get("assertions") or {},
            rr=document.spec.get("rr") or {},
            document=document,
        )
        try:
            spec = {**document.spec, "req": self._vault.unseal_tree(document.spec.get("req"))}
        except SecretError as error:
            return LoadedTest(case, None, str(error))
        try:
            spec["resp"] = self._vault.unseal_tree(document.spec.get("resp"))
        except SecretError:
            pass  # compared as far as it is known: what the app gives birth to again need not be unsealed
        unsealed = self._with_files(self._read(room, replace(document, spec=spec)))
        return LoadedTest(case, unsealed)

    def _with_files(self, exchange: Exchange[Any, Any]) -> Exchange[Any, Any]:
        parts = {}
        for name in ("request", "response"):
            part = getattr(exchange, name)
            body = getattr(part, "body", None)
            if isinstance(body, FileBody):
                parts[name] = replace(part, body=replace(body, path=self.test_set.asset(str(body.path))))
        return replace(exchange, **parts) if parts else exchange

    @staticmethod
    def _read(room: Room, document: Document) -> Exchange[Any, Any]:
        try:
            exchange: Exchange[Any, Any] = room.from_spec(document.kind, document.spec)
            return exchange
        except DocumentError as error:
            if error.path is not None:
                raise
            message = f"{document.name}: {error}"
            raise DocumentError(message, path=document.path, line=document.line, remedy=error.remedy) from error

    def _learn(self, exchange: Exchange[Any, Any]) -> None:
        request, response = exchange.request, exchange.response
        self.names.answers[request.name, request.qtype] = response
        for record in getattr(response, "answers", ()):
            if record.type in ("A", "AAAA"):
                self.names.names[record.data] = request.name

    def _name(self, host: str) -> None:
        """A destination by name can be resolved although nothing was looked up: /etc/hosts did, at the recording."""
        if host != "localhost" and not _is_address(host) and host not in self.names.made:
            number = len(self.names.made) + 1
            address = f"198.18.{number // 256}.{number % 256}"  # a range that belongs to nobody (RFC 2544)
            self.names.made[host] = address
            self.names.names.setdefault(address, host)


def room_of(exchange: Exchange[Any, Any]) -> Room:
    return room_named(exchange.protocol)


def owner_of(name: str, metadata: Mapping[str, Any]) -> str:
    """Whose a mock is: rr's names say it (`test-2.1`); Keploy's mocks are anybody's."""
    owner, dot, number = name.rpartition(".")
    if dot and number.isdigit():
        return owner
    return "startup" if metadata.get("type") == "config" else "background"


def _owner(document: Document) -> str:
    return owner_of(document.name, document.spec.get("metadata") or {})


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit() or host.startswith("/")
