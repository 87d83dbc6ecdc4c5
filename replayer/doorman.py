"""What becomes of what an app opens and asks for during a replay, wherever it runs: the recording says so."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from protocols import dns, generic
from protocols.generic.wire import GenericRequest
from replayer.way_out import resolves
from testset.errors import ProtocolError
from testset.model import Ending

if TYPE_CHECKING:
    from replayer.conversation import Answers


_HERE = "127.0.0.1"


class Doorman:
    """Asks the mocks that are served just now."""

    def __init__(self) -> None:
        self._answers: Answers | None = None
        self.unknown_names: set[str] = set()
        self.own_names: frozenset[str] = frozenset()  # of the app itself, in the networks that it had; in lower case

    def serve(self, answers: Answers) -> None:
        """From now on, these are the mocks."""
        self._answers = answers

    def answers(self) -> Answers:
        assert self._answers is not None, "the app was started before there were mocks"
        return self._answers

    def failure(self, host: str, port: int) -> Ending | None:
        """How a connection to this address failed when it was recorded, if it did. At a port of its own the app, which
        does not listen there yet, waits for itself: such attempts are no mocks."""
        answers = self._answers
        if answers is None:
            return None
        server = answers.loaded.names.server(host, port)
        owners = answers.loaded.failing.get(server)
        if owners is None:
            own = server.host == "localhost" and port in answers.loaded.own_ports
            return Ending.REFUSED if own else None
        if not answers.loaded.always_fails(server) and not owners & set(answers.replay.owners):
            return None
        found = answers.find(generic.ROOM, server, GenericRequest(turns=()))
        return getattr(found, "ending", None)

    def name(self, query: bytes) -> bytes | Awaitable[bytes]:
        """The answer to a question for a name; one that takes time where there is a way out. Empty: none at all."""
        try:
            if self.answers().way_out is not None and self._is_new(query):
                return self._outside(query)
            return self._inside(query)
        except ProtocolError:
            return b""

    def _inside(self, query: bytes) -> bytes:
        answer: bytes = self._recorded(query)
        return answer

    def _recorded(self, query: bytes) -> Any:
        names = self.answers().loaded.names
        asked = dns.request_of(query)
        if asked.name in self.own_names:
            return dns.build_answer(query, [_HERE])
        recorded = names.answers.get((asked.name, asked.qtype))
        if recorded is not None:
            return dns.answer_for(query, recorded)
        if names.knows(asked.name):
            made = names.made.get(asked.name)
            return dns.build_answer(query, [made] if made and (asked.name, "A") not in names.answers else [])
        if names.is_search(asked.name):
            return dns.build_error(query, "NXDOMAIN")
        # What it wants there will be a miss, which says more than an unknown name would.
        self.unknown_names.add(asked.name)
        return dns.build_answer(query, [names.make(asked.name)])

    def _is_new(self, query: bytes) -> bool:
        names, asked = self.answers().loaded.names, dns.request_of(query)
        recorded = names.answers.get((asked.name, asked.qtype))
        if asked.name in self.own_names:
            return False
        return recorded is None and not names.knows(asked.name) and not names.is_search(asked.name)

    async def _outside(self, query: bytes) -> bytes:
        """With a way out, the host says whether there is such a name. The app gets an address of rr's own making, so
        that what it sends there still comes through rr."""
        name = dns.request_of(query).name
        is_there = await resolves(name)
        answer: bytes = (
            dns.build_answer(query, [self.answers().loaded.names.make(name)])
            if is_there
            else dns.build_error(query, "NXDOMAIN")
        )
        return answer
