"""Frames of the journal become exchanges: each connection gets the decoder of the protocol that its first bytes show.

A connection that no protocol knows, or whose decoder gives up, is kept as raw bytes from there on. What is not finished
yet is remembered by segment, so that the journal can let go of everything before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from intercept.journal import CLIENT, SERVER, Frame, Kind
from protocols import dns, generic
from protocols.furniture import Context, Decoder, Guess, Limits, Room
from protocols.mysql.detect import is_x_protocol
from protocols.registry import detect, room_named
from protocols.tls import is_client_hello
from recorder.ledger import Resume
from testset.errors import ProtocolError
from testset.model import BodyBuffer, Ending, Exchange, ExchangeId, Server, Side

LIMITS = Limits(head=1 << 20, message=1 << 20, messages=4096, exchange=64 << 20)
_UNDECIDED = 64 << 10  # bytes after which a connection that no room claims is taken as it is
_MOST_TOLD = 100
_SIDES = (Side.CLIENT, Side.SERVER)
_ENDINGS = {"refused": Ending.REFUSED, "unreachable": Ending.UNREACHABLE, "timed out": Ending.TIMED_OUT}


@dataclass(slots=True)
class Notes:
    """What the summary has to tell beside the exchanges."""

    not_http: dict[int, int] = field(default_factory=dict)  # inbound, by port: connections
    tls: dict[str, int] = field(default_factory=dict)  # by destination: connections
    faults: dict[str, str] = field(default_factory=dict)  # of TLS servers' certificates, by destination
    gave_up: list[str] = field(default_factory=list)
    udp: dict[str, int] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """Something that was not understood, once however often it happens."""
        if text not in self.gave_up and len(self.gave_up) < _MOST_TOLD:
            self.gave_up.append(text)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in the journal an exchange began: what a recovery that has to decode it again needs."""

    segment: int
    resume: Resume | None = None  # None: it is in one frame, which needs nothing before it


class _Piece(NamedTuple):
    """A frame's data, not settled yet."""

    side: int
    offset: int
    data: bytes  # none when too much is kept already
    time_ns: int
    end: int  # its offset and its size
    segment: int


class _Conversation:
    """One connection."""

    __slots__ = (
        "base",
        "context",
        "decoder",
        "ended",
        "facts",
        "first_segment",
        "kept",
        "kept_bytes",
        "place",
        "raw",
        "room",
        "skip",
        "state",
    )

    def __init__(self, context: Context, facts: dict[str, Any], segment: int) -> None:
        self.context = context
        self.facts = facts
        self.first_segment = segment  # where the unfinished part begins
        self.room: Room | None = None
        self.decoder: Decoder | None = None
        self.raw = False
        self.kept: list[_Piece] = []
        self.kept_bytes = 0
        self.base = (0, 0)  # stream offsets where the decoder began
        self.place = (0, 0, context.first_index)  # bytes of both sides and exchanges before the unfinished part
        self.state = context.state  # of the decoder, at that place
        self.skip = (0, 0)  # a recovery ignores what lies before
        self.ended: set[int] = set()


class Reading:
    """All connections of a recording. Feed it frames, get exchanges."""

    def __init__(self, new_body: Callable[[], BodyBuffer], resume: dict[int, Resume] | None = None) -> None:
        self._new_body = new_body
        self._open: dict[int, _Conversation] = {}
        self._names: dict[str, str] = {}  # address -> the name that the app asked for
        self.notes = Notes()
        self.origins: dict[int, Origin] = {}  # of the exchanges that the last `feed` returned, by connection
        for number, one in (resume or {}).items():
            conversation = self._begin(number, one.facts, 1, one.index, one.state)
            conversation.base = conversation.skip = (one.client, one.server)
            conversation.place = (one.client, one.server, one.index)
            if one.room == "generic":
                self._take_raw(conversation)
            elif one.room is not None:
                self._decide(conversation, room_named(one.room))

    def feed(self, frame: Frame) -> list[Exchange[Any, Any]]:
        """The exchanges that this frame completed."""
        kind = frame.kind
        if kind is Kind.OPEN:
            self._begin(frame.connection, json.loads(frame.data), frame.segment)
            return []
        if kind is Kind.SECURE:
            self._secure(frame)
            return []
        if kind in (Kind.DATA, Kind.END, Kind.RESET):
            conversation = self._open.get(frame.connection)
            if conversation is None:
                return []
            self.origins = {frame.connection: self._origin(conversation, frame.segment)}
            return self._data(conversation, frame) if kind is Kind.DATA else self._end(conversation, frame)
        self.origins = {frame.connection: Origin(frame.segment)}
        if kind is Kind.FAILED:
            return [self._failed(frame)]
        if kind is Kind.DATAGRAM:
            return self._datagram(frame)
        facts = json.loads(frame.data)
        if kind is Kind.NOTE:
            for name, count in facts.get("udp", {}).items():
                self.notes.udp[name] = self.notes.udp.get(name, 0) + count
            if "encrypted" in facts:
                host, port = facts["encrypted"]
                self._encrypted(str(Server(facts["name"], port) if facts.get("name") else self._server(host, port)))
        elif frame.connection:
            lost = self._open.pop(frame.connection, None)
            if lost is not None and facts["why"]:
                self.notes.tell(
                    f"{'the app' if lost.context.inbound else lost.context.server}: not recorded: {facts['why']}"
                )
        else:
            self.notes.gaps.append(facts["why"])
            return self._all_lost(frame)
        return []

    def _all_lost(self, frame: Frame) -> list[Exchange[Any, Any]]:
        """The relay died, and every connection in its hands with it: their other ends have seen a reset."""
        self.origins = {number: self._origin(one, frame.segment) for number, one in self._open.items()}
        found: list[Exchange[Any, Any]] = []
        for number, one in sorted(self._open.items()):
            found += self._end(one, Frame(Kind.RESET, SERVER, number, 0, b"", frame.time_ns, frame.segment))
        return found

    def finish(self, time_ns: int) -> list[Exchange[Any, Any]]:
        """The recording is over: what is still open was cut short."""
        found: list[Exchange[Any, Any]] = []
        for number in sorted(self._open):
            conversation = self._open[number]
            for side in (CLIENT, SERVER):
                frame = Frame(Kind.END, side, number, 0, b"", time_ns, 0)
                if number in self._open and side not in conversation.ended:
                    found += self._end(conversation, frame)
        return found

    def unfinished(self) -> int:
        """How many connections are in the middle of something."""
        return sum(1 for one in self._open.values() if one.kept)

    def open_since(self) -> int | None:
        """When the oldest of the inbound requests began that are still in hand."""
        return min(
            (one.kept[0].time_ns for one in self._open.values() if one.kept and one.context.inbound), default=None
        )

    def needed_segment(self) -> int | None:
        """The oldest segment that an unfinished exchange still needs."""
        return min((one.first_segment for one in self._open.values() if one.kept), default=None)

    def resume(self) -> dict[int, Resume]:
        """Where each open connection would go on, were this process to end now."""
        return {number: _resume(one) for number, one in self._open.items()}

    # -- connections -----------------------------------------------------------------------------------------------

    def _begin(
        self,
        number: int,
        facts: dict[str, Any],
        segment: int,
        first_index: int = 0,
        state: Mapping[str, Any] | None = None,
    ) -> _Conversation:
        host, port = facts["server"]
        inbound, tls = facts["inbound"], facts.get("tls")
        server = Server("localhost", port) if inbound else self._server(host, port)
        if tls is not None and tls["name"] and not inbound:
            server = Server(tls["name"], port)
        context = Context(
            connection=number,
            inbound=inbound,
            server=server,
            secure=tls is not None,
            first_index=first_index,
            state=state,
        )
        self._open[number] = _Conversation(context, facts, segment)
        return self._open[number]

    def _secure(self, frame: Frame) -> None:
        """Nothing has been said yet but TLS."""
        one = self._open.get(frame.connection)
        if one is not None:
            facts = json.loads(frame.data)
            one = self._begin(frame.connection, {**one.facts, "tls": facts}, frame.segment)
            if facts["fault"]:
                self.notes.faults[str(one.context.server)] = facts["fault"]

    def _server(self, host: str, port: int) -> Server:
        if host.startswith("127.") or host in ("::1", "0.0.0.0", "::"):
            return Server("localhost", port)
        return Server(self._names.get(host, host), port)

    def _data(self, one: _Conversation, frame: Frame) -> list[Exchange[Any, Any]]:
        data, offset = frame.data, frame.offset
        skip = one.skip[frame.side]
        if offset < skip:
            if offset + len(data) <= skip:
                return []
            data, offset = data[skip - offset :], skip
        if not one.kept:
            one.first_segment = frame.segment
        keep = data if one.kept_bytes < LIMITS.message else b""
        one.kept.append(_Piece(frame.side, offset, keep, frame.time_ns, offset + len(data), frame.segment))
        one.kept_bytes += len(keep)
        feed = one.decoder is not None
        found = self._feed(one, frame.side, data, frame.time_ns) if feed else self._try_rooms(one)
        self._forget_settled(one)
        return found

    def _try_rooms(self, one: _Conversation) -> list[Exchange[Any, Any]]:
        first = [b"".join(piece.data for piece in one.kept if piece.side == wanted) for wanted in (0, 1)]
        if is_client_hello(first[0]):
            return self._pass_over(one)
        if is_x_protocol(first[1]):
            self.notes.tell(f"connections to {one.context.server} speak MySQL's X protocol, kept as raw bytes")
        guess = detect(first[0], first[1])
        if guess is Guess.MORE and len(first[0]) + len(first[1]) < _UNDECIDED:
            return []
        if isinstance(guess, Room):
            self._decide(one, guess)
        else:
            self._take_raw(one)
        found = []
        for side, _offset, data, time_ns, *_ in list(one.kept):
            if one.context.connection in self._open:
                found += self._feed(one, side, data, time_ns)
        return found

    def _pass_over(self, one: _Conversation) -> list[Exchange[Any, Any]]:
        """Encrypted: its bytes are never the same again, so there is nothing in them for a replay."""
        self._encrypted("the app" if one.context.inbound else str(one.context.server))
        del self._open[one.context.connection]
        return []

    def _encrypted(self, name: str) -> None:
        self.notes.tls[name] = self.notes.tls.get(name, 0) + 1

    def _decide(self, one: _Conversation, room: Room) -> None:
        one.room = room
        one.decoder = room.decoder(one.context, LIMITS, self._new_body)

    def _take_raw(self, one: _Conversation) -> None:
        one.raw = True
        one.room = generic.ROOM
        one.decoder = generic.ROOM.decoder(one.context, LIMITS, self._new_body)
        if one.context.inbound:
            port = one.context.server.port
            self.notes.not_http[port] = self.notes.not_http.get(port, 0) + 1

    def _feed(self, one: _Conversation, side: int, data: bytes, time_ns: int) -> list[Exchange[Any, Any]]:
        assert one.decoder is not None
        try:
            return one.decoder.feed(_SIDES[side], data, time_ns)
        except ProtocolError as error:
            return self._give_up(one, error)

    def _give_up(self, one: _Conversation, error: ProtocolError) -> list[Exchange[Any, Any]]:
        """The decoder's room was wrong, or the peers left the protocol: the rest is raw bytes."""
        assert one.room is not None
        if one.raw:
            one.kept.clear()
            return []
        client, server, index = self._settled(one)
        where = "to the app" if one.context.inbound else f"to {one.context.server}"
        if one.room.opens is not None and index:
            self.notes.tell(f"the rest of a connection {where} is not recorded: {error} ({one.room.name})")
            one.kept.clear()
            del self._open[one.context.connection]
            return []
        self.notes.tell(f"a connection {where} is kept as raw bytes: {error} ({one.room.name})")
        one.context = Context(
            connection=one.context.connection,
            inbound=one.context.inbound,
            server=one.context.server,
            secure=one.context.secure,
            first_index=index,
        )
        one.base = (client, server)
        self._take_raw(one)
        found: list[Exchange[Any, Any]] = []
        settled = (client, server)
        for side, offset, data, time_ns, *_ in list(one.kept):
            rest = data[max(0, settled[side] - offset) :]
            if rest:
                found += self._feed(one, side, rest, time_ns)
        return found

    def _end(self, one: _Conversation, frame: Frame) -> list[Exchange[Any, Any]]:
        if frame.side in one.ended and frame.kind is Kind.END:
            return []
        found: list[Exchange[Any, Any]] = []
        if one.decoder is None:
            if not one.kept and one.context.inbound:  # somebody looked whether the port is open
                one.ended.update((frame.side,) if frame.kind is Kind.END else (CLIENT, SERVER))
                if len(one.ended) == 2:
                    del self._open[one.context.connection]
                return []
            if not one.kept and frame.kind is Kind.END and not one.ended:
                one.ended.add(frame.side)
                return []
            self._take_raw(one)
            for side, _offset, data, time_ns, *_ in list(one.kept):
                found += self._feed(one, side, data, time_ns)
        ending = Ending.RESET if frame.kind is Kind.RESET else Ending.ANSWERED
        sides = [frame.side] if frame.kind is Kind.END else [frame.side, 1 - frame.side]
        for side in sides:
            if side in one.ended:
                continue
            one.ended.add(side)
            try:
                assert one.decoder is not None
                found += one.decoder.end(_SIDES[side], ending, frame.time_ns)
            except ProtocolError as error:
                found += self._give_up(one, error)
                if one.context.connection not in self._open:
                    return found
                raw = one.decoder
                assert raw is not None
                for again in sorted(one.ended):
                    found += raw.end(_SIDES[again], ending, frame.time_ns)
        if len(one.ended) == 2:
            del self._open[one.context.connection]
        else:
            self._forget_settled(one)
        for exchange in found:
            broken = getattr(exchange.response, "broken", b"")  # of HTTP
            if broken:
                most = f", up to {LIMITS.message >> 20} MiB" if len(broken) == LIMITS.message else ""
                self.notes.tell(f"{exchange.server} gave an answer that is no HTTP: it is kept as it came{most}")
        return found

    def _origin(self, one: _Conversation, segment: int) -> Origin:
        return Origin(one.first_segment if one.kept else segment, _resume(one))

    def _settled(self, one: _Conversation) -> tuple[int, int, int]:
        if one.decoder is None:
            return *one.base, one.context.first_index
        client, server, index = one.decoder.settled()
        return one.base[0] + client, one.base[1] + server, index

    def _forget_settled(self, one: _Conversation) -> None:
        place = self._settled(one)
        if place != one.place:
            one.place = place
            one.state = one.decoder.state() if one.decoder is not None else one.state
        settled = one.place[:2]
        kept = one.kept
        gone = 0
        while gone < len(kept) and kept[gone].end <= settled[kept[gone].side]:
            one.kept_bytes -= len(kept[gone].data)
            gone += 1
        if gone:
            del kept[:gone]
            if kept:
                one.first_segment = kept[0].segment

    # -- what is no connection -------------------------------------------------------------------------------------

    def _failed(self, frame: Frame) -> Exchange[Any, Any]:
        facts = json.loads(frame.data)
        host, port = facts["server"]
        context = Context(connection=frame.connection, inbound=False, server=self._server(host, port))
        ending = _ENDINGS[facts["how"]]
        failed: Exchange[Any, Any] = generic.connection_failed(context, ending, facts["started_ns"], frame.time_ns)
        return failed

    def _datagram(self, frame: Frame) -> list[Exchange[Any, Any]]:
        head, _, both = frame.data.partition(b"\n")
        facts = json.loads(head)
        question, answer = both[: facts["question"]], both[facts["question"] :]
        try:
            exchange: Exchange[Any, Any] = dns.exchange_from(
                question,
                answer or None,
                server=Server("dns", 53),
                started_ns=facts["asked_ns"],
                ended_ns=frame.time_ns,
                id=ExchangeId(0, frame.time_ns),
            )
        except ProtocolError as error:
            self.notes.tell(f"a DNS question could not be read: {error}")
            return []
        if exchange.response is not None:
            for record in exchange.response.answers:
                if record.type in ("A", "AAAA"):
                    self._names[record.data] = exchange.request.name
        return [exchange]


def _resume(one: _Conversation) -> Resume:
    room = "generic" if one.raw else one.room.name if one.room is not None else None
    return Resume(one.facts, *one.place, room, one.state)


def needed(segments: Iterable[int | None]) -> int | None:
    """The oldest of the segments that are still needed by anyone."""
    return min((one for one in segments if one is not None), default=None)
