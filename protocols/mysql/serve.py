"""The server side of MySQL for replay: logs anybody in, and answers commands with what was recorded.

Here is the order of things: greeting, login, one command after the other. What a command asks for is read in
`commands`, how an answer looks to this client in `answers`. Which mock answers is not known here: `Ask` asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from itertools import count
from typing import Any, NamedTuple

from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send, StartTls
from protocols.mysql import admission
from protocols.mysql.answers import err, framed
from protocols.mysql.commands import AtOnce, Command, Commands, Question, Scope
from protocols.mysql.incoming import Incoming, Packet
from protocols.mysql.messages import Err, MysqlRequest, MysqlResponse, Ok, Operation
from protocols.mysql.rows import Unfit
from testset.errors import ProtocolError
from testset.model import Ending

_connections = count(1)


class Spoken(NamedTuple):
    """A command and its answer, for whoever may remember both (`ready`)."""

    packet: Packet
    question: Question
    before: Scope
    answer: bytes


class _Phase(Enum):
    GREETING = auto()  # with which greeting? is asked
    RESPONSE = auto()  # the client's turn: its response to the greeting, or its wish for TLS
    LOGIN = auto()  # may it log in? is asked
    SWITCH = auto()  # the client's turn: it may, but has to try another plugin first
    DOUBTED = auto()  # it was asked for its password, as in the recording, where it then hung up
    COMMANDS = auto()
    GIVEN_UP = auto()  # it waits, as in the recording, until it has had enough
    OVER = auto()


class MysqlResponder:
    """See `furniture.Responder`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._incoming = Incoming(limits)
        self._phase = _Phase.GREETING
        self._greeting = admission.DEFAULT_GREETING
        self._login: admission.Login | None = None  # what the client has said of itself
        self._last_words: list[bytes] = []  # of the login
        self._sequence = 0  # of the next packet
        self._secured = False
        self._ended = False  # the client sends no more
        self._commands: Commands | None = None
        self._question: Question | None = None  # that is asked about
        self._asked: tuple[Packet, Scope] | None = None  # with which it came
        self.spoken: Spoken | None = None  # the last command that was asked about, once it is answered

    def start(self) -> list[Act]:
        otherwise = Reply(admission.WELCOME, Ending.ANSWERED)
        return [Ask(MysqlRequest(operation=Operation.GREETING), whole=False, otherwise=otherwise)]

    def feed(self, data: bytes) -> list[Act]:
        if self._phase in (_Phase.GIVEN_UP, _Phase.OVER):
            return []
        if self._phase is _Phase.GREETING:
            raise ProtocolError("the client speaks before the server's greeting")
        if self._asking:
            self._incoming.push(data)
            self._incoming.wait()
            return []
        if self._phase is _Phase.DOUBTED:
            return self._hang([])
        packet = self._incoming.push_whole(data)
        acts: list[Act] = []
        if packet is not None:
            self._packet(packet, acts)
        return self._go_on(acts)

    def end(self) -> list[Act]:
        self._ended = True
        return [] if self._phase is _Phase.OVER or self._asking else self._hang([])

    def answer(self, reply: Reply) -> list[Act]:
        response: MysqlResponse | None = reply.response
        if not self._asking:
            raise ProtocolError("an answer and nothing was asked")
        if response is None or not (response.results or response.greeting):
            return self._broken([], reply.ending)
        if self._phase is _Phase.GREETING:
            return self._greet(response, reply.ending)
        if self._phase is _Phase.LOGIN:
            return self._let_in(response, reply.ending)
        return self._answer(response, reply.ending)

    def miss(self, text: str, details: Mapping[str, Any]) -> list[Act]:
        if not self._asking:
            raise ProtocolError("a miss and nothing was asked")
        missed = Err(code=1105, sqlstate="HY000", message=f"rr: {text}")
        if self._phase is _Phase.COMMANDS:
            return self._answer(MysqlResponse(results=(missed,)), Ending.ANSWERED)
        return self._refuse(missed)

    def resting(self) -> Commands | None:
        """Between two commands, when nothing was begun and nothing is owed: the state of the connection."""
        rests = self._phase is _Phase.COMMANDS and self._question is None and self._incoming.resting
        return self._commands if rests else None

    # -- the login ------------------------------------------------------------------------------------------------

    def _greet(self, response: MysqlResponse, ending: Ending) -> list[Act]:
        greeting = response.greeting
        if greeting is None:
            error = response.results[0]
            if isinstance(error, Err):
                return self._refuse(error)
            return self._broken([], ending)
        self._greeting = admission.offered(greeting)
        self._phase = _Phase.RESPONSE
        payload = admission.greeting_payload(self._greeting, next(_connections) & 0xFFFFFFFF)
        self._sequence = 1
        return [Send(framed((payload,), 0))]

    def _respond(self, packet: Packet, acts: list[Act]) -> None:
        if packet.first != self._sequence:
            raise ProtocolError(f"the client's response has the sequence id {packet.first}")
        self._sequence = (packet.last + 1) & 0xFF
        if admission.wants_tls(packet.payload) and not self._secured:
            self._secured = True
            acts.append(StartTls(self._incoming.rest()))
            return
        self._login = admission.read(packet.payload, self._greeting)
        self._ask_for_login(acts)

    def _ask_for_login(self, acts: list[Act]) -> None:
        assert self._login is not None
        self._phase = _Phase.LOGIN
        request = self._login.request(tls=self._secured)
        acts.append(Ask(request, otherwise=Reply(admission.LET_IN, Ending.ANSWERED)))

    def _let_in(self, response: MysqlResponse, ending: Ending) -> list[Act]:
        login = self._login
        assert login is not None
        result = response.results[-1] if response.results else None
        if isinstance(result, Err):
            return self._refuse(result)
        if result is None and (doubt := admission.doubt(login)) is not None:
            self._phase = _Phase.DOUBTED
            return [Send(framed((doubt,), self._sequence))]
        if not isinstance(result, Ok) or ending is not Ending.ANSWERED:
            return self._broken([], ending)
        self._commands = admission.enter(login, result, self._limits)
        self._last_words = admission.last_words(login, result, self._commands.session)
        switch = admission.another_way(login)
        if switch is not None:
            self._phase = _Phase.SWITCH
            return self._go_on([Send(framed((switch,), self._sequence))])
        self._phase = _Phase.COMMANDS
        return self._go_on([Send(framed(self._last_words, self._sequence))])

    def _switched(self, packet: Packet, acts: list[Act]) -> None:
        self._phase = _Phase.COMMANDS
        acts.append(Send(framed(self._last_words, packet.last + 1 & 0xFF)))

    def _refuse(self, error: Err) -> list[Act]:
        return self._hang([Send(framed((err(error),), self._sequence))])

    # -- commands -------------------------------------------------------------------------------------------------

    def _packet(self, packet: Packet, acts: list[Act]) -> None:
        commands = self._commands
        if self._phase is _Phase.RESPONSE or commands is None:
            self._respond(packet, acts)
            return
        if self._phase is _Phase.SWITCH:
            self._switched(packet, acts)
            return
        if packet.first != 0:
            raise ProtocolError(f"a command with the sequence id {packet.first}")
        self._sequence = (packet.last + 1) & 0xFF
        if packet.payload[:1] == _CHANGE_USER:
            assert self._login is not None
            self._login = admission.read_change(packet.payload, self._login)
            self._ask_for_login(acts)
            return
        before = commands.scope()
        read = commands.read(packet.payload)
        if isinstance(read, Question):
            self._question = read
            self._asked = packet, before
            otherwise = None if read.otherwise is None else Reply(read.otherwise, Ending.ANSWERED)
            acts.append(Ask(read.request, otherwise=otherwise))
        elif isinstance(read, AtOnce):
            if read.payload is not None:
                acts.append(Send(framed((read.payload,), self._sequence)))
        else:
            self._hang(acts)

    def _answer(self, response: MysqlResponse, ending: Ending) -> list[Act]:
        commands, question, asked = self._commands, self._question, self._asked
        assert commands is not None
        assert question is not None
        assert asked is not None
        self._question = self._asked = None
        whole = ending is Ending.ANSWERED
        try:
            data = framed(commands.answer(question, response.results, whole=whole), self._sequence)
        except Unfit as unfit:
            data = framed((err(Err(code=1105, sqlstate="HY000", message=f"rr: {unfit}")),), self._sequence)
        packet, before = asked
        self.spoken = Spoken(packet, question, before, data) if whole else None
        acts: list[Act] = [Send(data)]
        if not whole:
            return self._broken(acts, ending)
        return self._go_on(acts)

    # -- within ---------------------------------------------------------------------------------------------------

    @property
    def _asking(self) -> bool:
        return self._question is not None or self._phase in (_Phase.GREETING, _Phase.LOGIN)

    def _go_on(self, acts: list[Act]) -> list[Act]:
        """Reads what is here, until something is asked or the client changes to TLS."""
        while not self._asking and self._phase is not _Phase.OVER:
            try:
                packet = self._incoming.next()
                if packet is None:
                    return self._hang(acts) if self._ended else acts
                self._packet(packet, acts)
            except ProtocolError:
                if not acts:
                    raise
                return self._hang(acts, reset=True)  # what was owed is sent first
        return acts

    def _broken(self, acts: list[Act], ending: Ending) -> list[Act]:
        """The answer goes no further, as recorded."""
        if ending is Ending.GIVEN_UP and not self._ended:
            self._phase = _Phase.GIVEN_UP
            self._question = None
            return acts
        return self._hang(acts, reset=ending is Ending.RESET)

    def _hang(self, acts: list[Act], *, reset: bool = False) -> list[Act]:
        self._phase = _Phase.OVER
        self._question = None
        acts.append(Hang(reset=reset))
        return acts


_CHANGE_USER = bytes([Command.CHANGE_USER])
