"""A test set, read for a replay: its tests in order, its mocks by reference, what names resolve to.

A mock is read once for its keys and again when it answers, so that a large `mocks.yml` costs little memory. Secrets
stay sealed in what is matched and reported; they are unsealed only in what goes over the wire, and what the replay
gave birth to again (a login's token) is not unsealed at all.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from protocols.furniture import Room
from protocols.generated import looks_generated
from protocols.registry import ROOMS, room_for_kind, room_named
from replayer.side_files import SideFiles
from testset.config import SetConfig
from testset.errors import DocumentError, SecretError
from testset.model import Document, Exchange, FileBody, Mock, Server, TestCase
from testset.named import Recorded, line_of, named, names_of, rendered
from testset.placeholders import names_in, placeholder
from testset.placeholders import replace as replaced
from testset.pruning import drop
from testset.secrets import Vault
from testset.store import TestSet
from testset.text import DocumentRef, read_document

KINDS = frozenset(kind for room in ROOMS for kind in room.kinds)
_DNS_OWNER = "dns"
NOWHERE = Server("", 0)  # of documents that do not say where a connection went: Keploy's of MySQL
_SEALED_NUMBER = re.compile(r'(?<=[=<>(,\s])\{\{secret "[^"]*"\}\}(?=[\s,);]|\Z)')  # in SQL: it has no quotes around it


Bound = Callable[[str], str | None]  # a secret's placeholder -> its value in this run, if the run made it anew


@dataclass(slots=True)
class Names:
    """What the app's names resolve to, and which name an address stands for."""

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)  # (name, type) -> recorded response
    names: dict[str, str] = field(default_factory=dict)  # address -> name
    made: dict[str, str] = field(default_factory=dict)  # name -> an address of rr's own making

    def knows(self, name: str) -> bool:
        return name in self.made or any(known == name for known, _type in self.answers)

    def make(self, name: str) -> str:
        """An address for a name, so that a connection to it arrives here."""
        if name not in self.made:
            number = len(self.made) + 1
            address = f"198.18.{number // 256}.{number % 256}"  # a range that belongs to nobody (RFC 2544)
            self.made[name] = address
            self.names.setdefault(address, name)
        return self.made[name]

    def is_search(self, name: str) -> bool:
        """Whether a resolver only tries `name` because a known one may be short for it: ledger, ledger.example.org."""
        known = {*self.made, *(known for known, _type in self.answers)}
        return any(name.startswith(f"{short}.") for short in known)

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
        self._side_files = SideFiles()
        self.stand_ins: frozenset[str] = frozenset()  # secrets of the app's command that could not be unsealed
        self._refs: dict[str, DocumentRef] = {}
        self.names = Names()
        self.unreadable: dict[str, DocumentError] = {}  # tests that are well-formed documents, and cannot be sent
        self.tests: list[TestCase] = []
        self._named: dict[str, Document] = {}  # tests that use names for values, as they are written
        for document in test_set.tests(KINDS):
            try:
                self.tests.append(self._test(document))
            except DocumentError as error:
                self.unreadable[document.name] = error
        asked = (test.exchange.server.port for test in self.tests)
        self.own_ports = frozenset((*self.config.app_ports, *asked))  # of the app
        self.failing: dict[Server, set[str]] = {}  # where connect() failed, and in whose time
        self._answering: set[Server] = set()
        self.http2: set[Server] = set()  # where HTTP/2 was spoken
        self.raw_in_tls: set[Server] = set()  # where something was said in TLS that no room knows

    def mocks(self) -> Iterator[Mock]:
        """Every mock but the name look-ups, one at a time."""
        completed = _completing()
        for ref, document in self.test_set.mocks(KINDS):
            room = room_for_kind(document.kind)
            exchange = completed(document, self._as_asked(document))
            owner = self._owner(document, exchange)
            if room.name == "dns":
                self._learn(exchange)
                continue
            self._refs[document.name] = ref
            server = exchange.server
            if exchange.response is None and room.name == "generic":
                self.failing.setdefault(server, set()).add(owner)
            else:
                self._answering.add(server)
            if getattr(exchange.request, "version", "") == "2":
                self.http2.add(server)
            if room.name == "generic" and exchange.response is not None and exchange.response.secure:
                self.raw_in_tls.add(server)
            self._name(server.host)
            yield Mock(name=document.name, owner=owner, exchange=exchange)

    def in_words_of(self, test: TestCase, values: Mapping[str, Recorded]) -> TestCase:
        """A test with what its names stand for by now; one that uses none is as it was."""
        document = self._named.get(test.name)
        if document is None:
            return test
        document = replace(document, spec=rendered(document.spec, {**self.config.template, **values}))
        return replace(test, exchange=self._read(room_for_kind(document.kind), document), document=document)

    def as_written(self, test: str) -> Document | None:
        """A test with its names, if it uses any."""
        return self._named.get(test)

    @property
    def named_values(self) -> frozenset[str]:
        """What the names in its tests stood for, where it does not look made up."""
        names = {name for document in self._named.values() for name in names_of(document.spec)}
        values = (self.config.template[name] for name in names)
        return frozenset(str(value) for value in values if not looks_generated(value))

    def named_by(self, tests: Collection[str]) -> set[str]:
        """The tests whose responses say first what the names in these stand for."""
        first: dict[str, str] = {}
        for test, document in self._named.items():
            for name in names_of(document.spec):
                first.setdefault(name, test)
        used = (self._named[test] for test in tests if test in self._named)
        return {first[name] for document in used for name in names_of(document.spec)}

    def recall(self, mock: Mock) -> Callable[[], Mock]:
        """How to read a mock again: what `Story` keeps of it."""
        ref, name, owner = self._refs[mock.name], mock.name, mock.owner
        # What only the documents before it could say is not read again.
        asked = mock.exchange.request if mock.exchange.server == NOWHERE else None

        def again() -> Mock:
            document = read_document(ref)
            exchange = self._as_asked(document)
            if asked is not None:
                exchange = replace(exchange, request=asked)
            return Mock(name=name, owner=owner, exchange=exchange)

        return again

    def request(self, test: TestCase, bound: Bound) -> Any:
        """A test's request as it goes over the wire. Raises `SecretError`."""
        return self._with_file(self._unsealed(test, "req", bound).request, bound)

    def response(self, test: TestCase, bound: Bound) -> Any:
        """What a test's response should be; a secret that cannot be had stays a placeholder."""
        try:
            return self._with_file(self._unsealed(test, "resp", bound).response, bound)
        except SecretError:
            return self._with_file(test.exchange.response)

    def unsealed(self, mock: Mock, bound: Bound) -> Exchange[Any, Any]:
        """The exchange of a mock with its secrets in it. Raises `SecretError`."""
        document = read_document(self._refs[mock.name])
        spec = {  # what the app asked with needs no key: only the answer goes over the wire
            key: part if key.startswith("req") else self._vault.unseal_tree(part, _text(bound))
            for key, part in document.spec.items()
        }
        document = replace(document, spec=spec)
        exchange = self._read(room_for_kind(document.kind), document)
        return replace(exchange, response=self._with_file(exchange.response, bound))

    def stood_in(self, mock: Mock) -> list[str]:
        """The secrets of a mock for which their names stand in, because the app was started without the key."""
        return sorted(self.stand_ins & names_in(read_document(self._refs[mock.name]).spec)) if self.stand_ins else []

    def drop_mocks(self, names: Collection[str]) -> None:
        """Takes mocks out of the set's file."""
        path = self.test_set.mocks_path()
        if path is not None and names:
            drop(path, [self._refs[name] for name in names])

    def unix_sockets(self) -> list[str]:
        """The Unix sockets that the app spoke with."""
        return sorted(server.host for server in self._answering if server.host.startswith("/"))

    def always_fails(self, server: Server) -> bool:
        return server in self.failing and server not in self._answering

    # -- reading -------------------------------------------------------------------------------------------------

    def _test(self, document: Document) -> TestCase:
        room = room_for_kind(document.kind)
        if room.name != "http":
            raise DocumentError(
                f"{document.name}: a test is a request over HTTP, and not of the kind {document.kind}",
                path=document.path,
                line=document.line,
            )
        document = self._with_recorded(document)
        return TestCase(
            name=document.name,
            exchange=self._read(room, document),
            assertions=document.spec.get("assertions") or {},
            rr=document.spec.get("rr") or {},
            document=document,
        )

    def _with_recorded(self, document: Document) -> Document:
        """With the recorded values of the names that a person has put into it."""
        template = self.config.template
        names = names_of(document.spec) if template else ()
        for name in names:
            if name not in template:
                raise DocumentError(
                    f"{document.name}: nothing says what {named(name)} stood for",
                    path=document.path,
                    line=line_of(document, name),
                    remedy=f"Write its recorded value into the set's config.yml (template: {{{name}: …}}), or, where "
                    f'the text is meant as it stands, {{{{"{{{{"}}}}{name}}}}}.',
                )
        if not names:
            return document
        self._named[document.name] = document
        return replace(document, spec=rendered(document.spec, template))

    def _unsealed(self, test: TestCase, part: str, bound: Bound) -> Exchange[Any, Any]:
        document = test.document
        assert document is not None, "a loaded test has a document"
        sealed = document.spec.get(part)
        content = self._vault.unseal_tree(sealed, _text(bound))
        if content is sealed:
            return test.exchange
        return self._read(room_for_kind(document.kind), replace(document, spec={**document.spec, part: content}))

    def _with_file(self, message: Any, bound: Bound | None = None) -> Any:
        """A request or response whose body is in a file of the test set; with `bound` it has its secrets."""
        body = getattr(message, "body", None)
        if not isinstance(body, FileBody):
            return message
        body = replace(body, path=self.test_set.asset(str(body.path)))
        if bound is not None:
            body = self._side_files.unsealed(body, lambda name: bound(placeholder(name)) or self._vault.value(name))
        return replace(message, body=body)

    def _as_asked(self, document: Document) -> Exchange[Any, Any]:
        """A mock as the app's request is compared with it. Most secrets stay sealed, for the app may have others now.
        Where one is part of what is looked up (raw bytes, a path, a number in SQL, the digest of a large body), it is
        the recording's; without the key such a mock is not found."""
        room = room_for_kind(document.kind)
        if room.name == "generic":
            with contextlib.suppress(SecretError):
                document = replace(document, spec=self._vault.unseal_tree(document.spec))
        exchange = self._read(room, document)
        request = exchange.request
        if room.name == "http" and "{{" in request.target:
            path, mark, query = request.target.partition("?")
            request = replace(request, target="/".join(map(self._segment, path.split("/"))) + mark + query)
        if room.name == "mysql" and "{{" in request.query:
            request = replace(request, query=_SEALED_NUMBER.sub(lambda number: self._number(number[0]), request.query))
        if isinstance(getattr(request, "body", None), FileBody):
            with contextlib.suppress(SecretError, DocumentError):
                body = self._with_file(request, lambda _: None).body
                request = replace(request, body=replace(request.body, size=body.size, sha256=body.sha256))
        return exchange if request is exchange.request else replace(exchange, request=request)

    def _segment(self, segment: str) -> str:
        """Of a path. What looks generated may be another one in this run: then it stays a placeholder."""
        value = self._plain(segment)
        return segment if value is None or looks_generated(value) else value

    def _number(self, text: str) -> str:
        """Of a statement. Where it is not known, as a literal: it may have been any."""
        value = self._plain(text)
        return f"'{text}'" if value is None else value

    def _plain(self, text: str) -> str | None:
        """What the app has: without the key that is the name where it stands in for the value, and else unknown."""
        try:
            return self._vault.unseal(text)
        except SecretError:
            return replaced(text, lambda name: name) if self.stand_ins.issuperset(names_in(text)) else None

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

    def _owner(self, document: Document, exchange: Exchange[Any, Any]) -> str:
        """Keploy's mocks have times instead: one that was asked for within one test alone is that test's."""
        owner = owner_of(document.name)
        if owner is not None:
            return owner
        metadata = document.spec.get("metadata") or {}
        if metadata.get("type") == "config":
            return "startup"
        asked = exchange.started_ns
        within = [
            test.name for test in self.tests if test.exchange.started_ns <= asked <= test.exchange.ended_ns and asked
        ]
        return within[0] if len(within) == 1 and metadata.get("type") != "connection" else "background"

    def _learn(self, exchange: Exchange[Any, Any]) -> None:
        request, response = exchange.request, exchange.response
        self.names.answers[request.name, request.qtype] = response
        for record in getattr(response, "answers", ()):
            if record.type in ("A", "AAAA"):
                self.names.names[record.data] = request.name

    def _name(self, host: str) -> None:
        """A destination by name can be resolved although nothing was looked up: /etc/hosts did, at the recording."""
        if host and host != "localhost" and not _is_address(host):
            self.names.make(host)


def _text(bound: Bound) -> Bound:
    """Without the digests, which stand for bytes and not for what a document says of them."""

    def value(placeholder: str) -> str | None:
        now = bound(placeholder)
        return None if now is None or now.startswith("sha256:") else now

    return value


def _completing() -> Callable[[Document, Exchange[Any, Any]], Exchange[Any, Any]]:
    """Keploy's documents of MySQL name a statement by a number that an earlier document explains."""
    connections: Any = None

    def completed(document: Document, exchange: Exchange[Any, Any]) -> Exchange[Any, Any]:
        nonlocal connections
        if exchange.protocol != "mysql" or exchange.server != NOWHERE:
            return exchange
        if connections is None:
            from protocols.mysql.keploy import Connections

            connections = Connections()
        whole: Exchange[Any, Any] = connections.completed(document.spec, exchange)
        return whole

    return completed


def room_of(exchange: Exchange[Any, Any]) -> Room:
    return room_named(exchange.protocol)


def owner_of(name: str) -> str | None:
    """Whose a mock is, as rr's names say it: `test-2.1`."""
    owner, dot, number = name.rpartition(".")
    return owner if dot and number.isdigit() else None


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit() or host.startswith("/")
