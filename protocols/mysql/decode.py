"""A recorded connection becomes exchanges: the login, then command by command.

The commands are read by the same code as at replay (`commands`), so that both see the same requests; the answers are
read by `replies`. What only changes the session is no exchange when it is answered by a plain OK: it is in the session
of every request that follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from protocols.furniture import Context, Limits
from protocols.mysql import admission, wire
from protocols.mysql.answers import Dialect, Shape
from protocols.mysql.commands import AtOnce, Command, Commands, Question, Quit
from protocols.mysql.incoming import Incoming, Packet
from protocols.mysql.messages import Column, Err, Greeting, MysqlRequest, MysqlResponse, Ok, Operation, Result
from protocols.mysql.replies import Reply
from protocols.mysql.session import AUTOCOMMIT, SessionState
from protocols.mysql.state import State
from testset.errors import LimitError, ProtocolError
from testset.model import BodyBuffer, Ending, Exchange, ExchangeId, Side

MysqlExchange = Exchange[MysqlRequest, MysqlResponse]

_SSL = 1 << 11
_NETWORK_ERRORS = range(1158, 1162)  # ER_NET_READ_ERROR and those after it
_CURSOR_TYPES = 0x07  # of an EXECUTE's flags
_FIRST = {Shape.TEXT: State.HEAD, Shape.BINARY: State.HEAD, Shape.PREPARED: State.PREPARED, Shape.FIELDS: State.FIELDS}
_UNREADABLE = {
    0x12: "COM_BINLOG_DUMP",
    0x13: "COM_TABLE_DUMP",
    0x15: "COM_REGISTER_SLAVE",
    0x1E: "COM_BINLOG_DUMP_GTID",
}


@dataclass(slots=True)
class _Sent:
    """A command that the client has sent. Once it is its turn to be answered, it has a reply."""

    payload: bytes
    started_ns: int
    question: Question | None = None
    reply: Reply | None = None
    login: admission.Login | None = None  # of COM_CHANGE_USER


class MysqlDecoder:
    """See `furniture.Decoder`."""

    def __init__(self, context: Context, limits: Limits, new_body: Callable[[], BodyBuffer]) -> None:
        self._context = context
        self._limits = replace(limits, message=limits.exchange)
        self._incoming = {Side.CLIENT: Incoming(self._limits), Side.SERVER: Incoming(self._limits)}
        self._fed = {Side.CLIENT: 0, Side.SERVER: 0}
        self._read = {Side.CLIENT: 0, Side.SERVER: 0}  # of these, in packets that were complete
        self._since_ns = {Side.CLIENT: 0, Side.SERVER: 0}  # when what is not complete began
        self._index = context.first_index
        self._settled = (0, 0, context.first_index)
        self._greeting: Greeting | None = None
        self._greeted_ns = 0
        self._login: admission.Login | None = None
        self._tls = False
        self._commands: Commands | None = None
        self._sent: deque[_Sent] = deque()
        self._refused = self._over = self._left = False
        self._ending = Ending.ANSWERED
        self._failure: ProtocolError | None = None  # it waits where exchanges were completed before it
        self._state: Mapping[str, Any] | None = context.state
        if context.state is not None:
            self._go_on(context.state)

    # -- the furniture -----------------------------------------------------------------------------------------------

    def feed(self, side: Side, data: bytes, time_ns: int) -> list[MysqlExchange]:
        if self._failure is not None:
            raise self._failure
        incoming = self._incoming[side]
        self._fed[side] += len(data)
        if incoming.resting:
            self._since_ns[side] = time_ns
        incoming.push(data)
        found: list[MysqlExchange] = []
        try:
            while (packet := incoming.next()) is not None:
                self._packet(side, packet, time_ns, found)
        except ProtocolError as error:
            self._failure = error
            if not found:
                raise
            return found
        if self._over:  # the server has hung up, and the client has not seen it yet
            found += self._unanswered(self._ending, time_ns)
        return found

    def _packet(self, side: Side, packet: Packet, time_ns: int, found: list[MysqlExchange]) -> None:
        self.state()  # what is settled is remembered as it is
        if side is Side.CLIENT:
            self._client(packet.first, packet.payload, time_ns, found)
        else:
            self._server(packet.payload, time_ns, found)
        self._read[side] += packet.size
        self._since_ns[side] = time_ns
        self._settle()

    def end(self, side: Side, ending: Ending, time_ns: int) -> list[MysqlExchange]:
        if self._failure is not None:
            raise self._failure
        if self._over:
            return []
        self._left = self._left or side is Side.CLIENT
        if side is Side.CLIENT and ending is Ending.ANSWERED:
            return []  # what the client has asked for may still be answered
        self._over = True
        self._ending = Ending.GIVEN_UP if self._left else Ending.CUT_SHORT if ending is Ending.ANSWERED else ending
        found: list[MysqlExchange] = []
        if self._commands is None and self._login is not None and not self._refused:
            response = MysqlResponse(greeting=self._greeting)
            # A client that leaves in the middle of a login has seen something there, which a mock does not say.
            ended = Ending.CUT_SHORT if self._left else self._ending
            found.append(self._exchange(self._connect(self._login), response, self._greeted_ns, time_ns, ended))
            self._refused = True
        return found + self._unanswered(self._ending, time_ns)

    def _unanswered(self, ending: Ending, time_ns: int) -> list[MysqlExchange]:
        """What the client has asked for, and never got whole."""
        found: list[MysqlExchange] = []
        for sent in self._sent:
            if sent.question is None:
                continue  # nothing that a recording could say
            results = sent.reply.broken() if sent.reply is not None else []
            response_or_none = MysqlResponse(results=tuple(results)) if results else None
            found.append(self._exchange(sent.question.request, response_or_none, sent.started_ns, time_ns, ending))
        self._sent.clear()
        self._settled = (self._fed[Side.CLIENT], self._fed[Side.SERVER], self._index)
        return found

    def settled(self) -> tuple[int, int, int]:
        return self._settled

    def state(self) -> Mapping[str, Any] | None:
        if self._state is None and self._commands is not None:
            login = self._login
            self._state = {
                "login": asdict(login) if login is not None else None,
                "session": self._commands.session.to_json(),
                "prepared": self._commands.prepared.to_json(),
            }
        return self._state

    # -- the login ---------------------------------------------------------------------------------------------------

    def _login_packet(self, side: Side, payload: bytes, time_ns: int) -> MysqlExchange | None:
        if self._refused and side is Side.CLIENT:
            return None  # some say goodbye to who has refused them
        if self._refused or not payload:
            raise ProtocolError("more than a login's packets")
        if side is Side.CLIENT:
            if self._greeting is None or self._login is not None:
                raise ProtocolError("a client that speaks out of turn")
            self._login = admission.read(payload, self._greeting)
            self._tls = bool(int.from_bytes(payload[:4], "little") & _SSL)
            return None
        if self._greeting is None and payload[0] != wire.ERR:
            self._greeting, self._greeted_ns = wire.greeting(payload), self._since_ns[side] or time_ns
            return None
        if payload[0] not in (wire.OK, wire.ERR):
            raise ProtocolError("a login without an end")
        result = wire.err(payload) if payload[0] == wire.ERR else wire.ok(payload, tracks=False)
        request = MysqlRequest(operation=Operation.CONNECT)
        if self._login is not None:
            request = self._connect(self._login)
            if isinstance(result, Ok):
                self._commands = admission.enter(self._login, result, self._limits)
        elif isinstance(result, Ok):
            raise ProtocolError("a login without a client")
        self._refused = isinstance(result, Err)
        response = MysqlResponse(results=(result,), greeting=self._greeting)
        ending = Ending.ANSWERED
        if isinstance(result, Err) and result.code in _NETWORK_ERRORS:  # the client hung up in the middle of it
            response, ending = MysqlResponse(greeting=self._greeting), Ending.CUT_SHORT
        return self._exchange(request, response, self._greeted_ns or time_ns, time_ns, ending)

    def _connect(self, login: admission.Login) -> MysqlRequest:
        return login.request(tls=self._tls)

    # -- commands ----------------------------------------------------------------------------------------------------

    def _client(self, sequence: int, payload: bytes, time_ns: int, found: list[MysqlExchange]) -> None:
        if self._commands is None:
            exchange = self._login_packet(Side.CLIENT, payload, time_ns)
            if exchange is not None:
                found.append(exchange)
            return
        front = self._sent[0] if self._sent else None
        if front is not None and front.login is not None and sequence:
            return  # how somebody proves who they are
        if front is not None and front.reply is not None and front.reply.wants_file:
            front.reply.wants_file = bool(payload)
            return
        if sequence or not payload:
            raise ProtocolError(f"a command with the sequence id {sequence}")
        if len(self._sent) >= self._limits.messages:
            raise LimitError(f"more than {self._limits.messages} commands wait for their answer")
        self._sent.append(_Sent(payload, self._since_ns[Side.CLIENT]))
        if len(self._sent) == 1:
            self._begin()

    def _begin(self) -> None:
        """The command that is the next to be answered."""
        assert self._commands is not None
        while self._sent:
            sent = self._sent[0]
            code = sent.payload[0]
            if code in _UNREADABLE:
                raise ProtocolError(f"{_UNREADABLE[code]}: replication is not recorded")
            if code == Command.CHANGE_USER and self._login is not None:
                sent.login = admission.read_change(sent.payload, self._login)
                return
            read = self._commands.read(sent.payload)
            if isinstance(read, Quit) or (isinstance(read, AtOnce) and read.payload is None):
                self._sent.popleft()
                continue
            if isinstance(read, AtOnce):
                sent.reply = self._reply(Shape.TEXT, State.SINGLE)
                return
            sent.question = read
            first = _FIRST[read.shape]
            if read.request.operation is Operation.FETCH:
                first = State.FETCHED
            elif read.request.operation is Operation.INIT_DB:
                first = State.SINGLE
            cursor = code == Command.STMT_EXECUTE and bool(sent.payload[5] & _CURSOR_TYPES)
            known = read.prepared.columns if read.prepared is not None else ()
            sent.reply = self._reply(read.shape, first, cursor=cursor, known=known)
            sent.payload = b""
            return

    def _reply(self, shape: Shape, first: State, *, cursor: bool = False, known: tuple[Column, ...] = ()) -> Reply:
        assert self._commands is not None
        return Reply(shape, self._commands.dialect, self._limits.exchange, first=first, cursor=cursor, known=known)

    def _server(self, payload: bytes, time_ns: int, found: list[MysqlExchange]) -> None:
        if self._commands is None:
            exchange = self._login_packet(Side.SERVER, payload, time_ns)
            if exchange is not None:
                found.append(exchange)
            return
        if not self._sent:
            if payload[:1] == b"\xff":
                return  # the server says why it will hang up: a time-out, a shutdown
            raise ProtocolError("an answer to nothing")
        sent = self._sent[0]
        if sent.login is not None:
            self._change_user(sent, sent.login, payload, time_ns, found)
            return
        reply = sent.reply
        assert reply is not None
        reply.feed(payload)
        if not reply.done:
            return
        self._sent.popleft()
        if sent.question is not None:
            self._answered(sent.question, reply, sent.started_ns, time_ns, found)
        self._begin()

    def _answered(
        self, question: Question, reply: Reply, started_ns: int, time_ns: int, found: list[MysqlExchange]
    ) -> None:
        assert self._commands is not None
        results: Sequence[Result] = reply.results
        self._commands.recorded(question, results, reply.statement_id)
        is_plain = len(results) == 1 and isinstance(results[0], Ok)
        if is_plain and question.otherwise is not None and question.shape is not Shape.PREPARED:
            return
        response = MysqlResponse(results=tuple(results))
        found.append(self._exchange(question.request, response, started_ns, time_ns, remark=reply.remark))

    def _change_user(
        self, sent: _Sent, login: admission.Login, payload: bytes, time_ns: int, found: list[MysqlExchange]
    ) -> None:
        assert self._commands is not None
        if payload[:1] not in (b"\x00", b"\xff"):
            return  # how somebody proves who they are
        self._sent.popleft()
        result = wire.err(payload) if payload[0] == wire.ERR else wire.ok(payload, tracks=self._commands.dialect.tracks)
        if isinstance(result, Ok):
            result = Ok(status=result.status, warnings=result.warnings)
            self._login = login
            self._commands.session.change_user(login.database, collation=login.collation)
            self._commands.session.autocommit = bool(result.status & AUTOCOMMIT)
            self._commands.prepared.clear()
        response = MysqlResponse(results=(result,))
        found.append(self._exchange(self._connect(login), response, sent.started_ns, time_ns))
        self._begin()

    # -- within ------------------------------------------------------------------------------------------------------

    def _exchange(
        self,
        request: MysqlRequest,
        response: MysqlResponse | None,
        started_ns: int,
        ended_ns: int,
        ending: Ending = Ending.ANSWERED,
        remark: str | None = None,
    ) -> MysqlExchange:
        index = self._index
        self._index += 1
        return Exchange(
            id=ExchangeId(self._context.connection, index),
            protocol="mysql",
            inbound=self._context.inbound,
            server=self._context.server,
            request=request,
            response=response,
            ending=ending,
            started_ns=started_ns,
            ended_ns=ended_ns,
            remark=remark,
        )

    def _settle(self) -> None:
        """Between two commands all is finished, and another decoder could go on."""
        commands = self._commands
        if commands is not None and not self._sent and not commands.prepared.has_long_data:
            self._settled = (self._read[Side.CLIENT], self._read[Side.SERVER], self._index)
            self._state = None

    def _go_on(self, state: Mapping[str, Any]) -> None:
        """Where an earlier decoder was when it said this."""
        known = state["login"]
        self._login = admission.Login(**{**known, "dialect": Dialect(**known["dialect"])})
        session = SessionState.from_json(state["session"])
        self._commands = Commands(session, self._login.dialect, self._limits)
        self._commands.prepared.restore(state["prepared"], session.parse)
