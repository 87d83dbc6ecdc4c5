"""Conversations for fuzzers: as bytes, mutated and cut, played to both machines; and what has to hold of whatever they
are played.

A conversation goes on from a place where a captured one was at rest (`starts`), and is a list of what either side sends
at once: a packet, most of the time, but nothing says that it has to be one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any, NamedTuple

from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send, StartTls
from protocols.mysql.decode import MysqlDecoder
from protocols.mysql.messages import MysqlResponse
from protocols.mysql.serve import MysqlResponder
from tests.protocols.mysql.captured import CAPTURED
from tests.protocols.mysql.wire_playbook import packet, response
from tests.protocols.playbook import OUTBOUND, MemoryBody, Sends, timeless
from testset.errors import ProtocolError
from testset.model import Ending, Exchange, Side

LIMITS = Limits(head=1 << 16, message=1 << 16, messages=8, exchange=1 << 16)
LONGEST = 0xFFFF  # of what is sent at once
_SIDES = (Side.CLIENT, Side.SERVER)
_EDGES = (0, 1, 2, 7, 0x7F, 0x80, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF)

MutateBytes = Callable[[bytes, int], bytes]


class Start(NamedTuple):
    """A place in a conversation where all was finished."""

    state: dict[str, Any] | None  # of the decoder; None: nothing was said yet
    capabilities: int  # of the client
    rest: tuple[Sends, ...]  # how the captured conversation went on


@dataclass(frozen=True, slots=True)
class Conversation:
    start: int  # which of `starts()`
    turns: tuple[Sends, ...]


@dataclass(slots=True)
class Fed:
    """What was fed in all. `strange`: mutated, truncated or made up; not as it was captured."""

    conversations: int = 0
    to_decoder: int = 0
    to_server: int = 0
    strange: int = 0
    exchanges: int = 0
    refused: int = 0  # conversations that ended in a ProtocolError


# -- where they begin ------------------------------------------------------------------------------------------------


@cache
def starts() -> tuple[Start, ...]:
    """Before the login, after it, and wherever else a captured conversation was at rest."""
    found: list[Start] = []
    for steps in CAPTURED.values():
        sent = [step for step in steps if isinstance(step, Sends)]
        capabilities = int.from_bytes(sent[1].data[4:8], "little")
        decoder = MysqlDecoder(OUTBOUND, LIMITS, MemoryBody)
        found.append(Start(None, capabilities, tuple(sent)))
        fed = {Side.CLIENT: 0, Side.SERVER: 0}
        for turn, step in enumerate(sent):
            decoder.feed(step.side, step.data, 1)
            fed[step.side] += len(step.data)
            state = decoder.state()
            if state is not None and decoder.settled()[:2] == (fed[Side.CLIENT], fed[Side.SERVER]):
                found.append(Start(json.loads(json.dumps(state)), capabilities, tuple(sent[turn + 1 :])))
    return tuple(found)


@cache
def captured() -> tuple[Sends, ...]:
    """All that was sent in the captured conversations, packet by packet."""
    return tuple(
        Sends(step.side, part)
        for steps in CAPTURED.values()
        for step in steps
        if isinstance(step, Sends)
        for part in packets_of(step.data)
    )


@cache
def _known() -> frozenset[bytes]:
    return frozenset(sent.data for sent in captured())


def packets_of(data: bytes) -> Iterator[bytes]:
    while data:
        size = 4 + int.from_bytes(data[:3], "little")
        yield data[:size]
        data = data[size:]


def seeds(longest: int = 24) -> Iterator[Conversation]:
    """The captured conversations, from each place where one begins, packet by packet."""
    for number, start in enumerate(starts()):
        turns = [Sends(sent.side, part) for sent in start.rest for part in packets_of(sent.data)]
        if turns:
            yield Conversation(number, tuple(turns[:longest]))


# -- as bytes --------------------------------------------------------------------------------------------------------


def to_bytes(conversation: Conversation) -> bytes:
    parts = [bytes([conversation.start])]
    for turn in conversation.turns:
        parts += [bytes([turn.side is Side.SERVER]), len(turn.data).to_bytes(2, "little"), turn.data]
    return b"".join(parts)


def from_bytes(data: bytes) -> Conversation:
    """Any bytes are a conversation."""
    start = data[0] % len(starts()) if data else 0
    turns: list[Sends] = []
    at = 1
    while at + 3 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 3], "little")
        turns.append(Sends(_SIDES[data[at] & 1], data[at + 3 : at + 3 + size]))
        at += 3 + size
    return Conversation(start, tuple(turns))


# -- mutated ---------------------------------------------------------------------------------------------------------


def mutated(conversation: Conversation, random: Random, mutate: MutateBytes | None = None) -> Conversation:
    """As somebody who speaks MySQL badly would have it. `mutate`: how a packet's bytes change, at most so many."""
    mutate = mutate or (lambda data, most: _mutate(data, random)[:most])
    turns = list(conversation.turns) or [random.choice(captured())]
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(turns))
        side, data = turns[at].side, turns[at].data
        match random.randrange(16):
            case 0 | 1:  # truncated, and says so
                turns[at] = Sends(side, _reframed(data, data[4 : random.randint(4, max(4, len(data)))]))
            case 2:  # truncated in the middle
                turns[at] = Sends(side, data[: random.randint(0, len(data))])
            case 3:
                turns.insert(at, random.choice(captured()))
            case 4:
                turns.insert(at, turns[random.randrange(len(turns))])
            case 5 if len(turns) > 1:
                del turns[at]
            case 6:
                other = random.randrange(len(turns))
                turns[at], turns[other] = turns[other], turns[at]
            case 7:  # a head that says something else
                turns[at] = Sends(side, mutate(data[:4], 4).ljust(4, b"\0") + data[4:])
            case _:
                turns[at] = Sends(side, _reframed(data, mutate(data[4:], len(data) + 32)))
    start = conversation.start if random.random() < 0.95 else random.randrange(len(starts()))
    return Conversation(start, tuple(Sends(turn.side, turn.data[:LONGEST]) for turn in turns))


def _reframed(data: bytes, payload: bytes) -> bytes:
    return packet(payload, data[3] if len(data) > 3 else 0)


def _mutate(data: bytes, random: Random) -> bytes:
    """A byte is another one, is missing, is there twice, is an edge of MySQL's lengths."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(changed) + 1)
        match random.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([random.choice(_EDGES)])
            case 1:
                changed[at : at + 1] = random.randbytes(1)
            case 2:
                del changed[at : at + random.choice((1, 2, 4, 8))]
            case 3:
                changed[at:at] = changed[at : at + random.choice((1, 2, 4, 8))]
            case _:
                changed[at:at] = random.choice((b"\xfc\xff\xff", b"\xfd\xff\xff\xff", b"\xfe" + b"\xff" * 8, b"\0\0"))
    return bytes(changed)


# -- what has to hold ------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    exchanges: list[tuple[Any, ...]]
    error: str | None
    settled: tuple[int, int, int]
    fed: int  # turns, up to the one that was refused


def check(conversation: Conversation, fed: Fed, *, piece: int = 1) -> None:
    """An exchange or a `ProtocolError`, never anything else; the same in pieces of this size as all at once; the same
    for a decoder that goes on where another one was."""
    start = starts()[conversation.start]
    turns = conversation.turns
    outcome, responses, rests = decoded(start, turns)
    fed.conversations += 1
    fed.to_decoder += outcome.fed
    fed.exchanges += len(outcome.exchanges)
    fed.refused += outcome.error is not None
    fed.strange += sum(turn.data not in _known() for turn in turns[: outcome.fed])
    in_pieces = [Sends(turn.side, part) for turn in turns for part in _cut(turn.data, piece)]
    again, _, _ = decoded(start, in_pieces)
    assert again[:3] == outcome[:3], "in pieces it is something else"
    if rests:
        _goes_on(start, turns, rests[len(turns) % len(rests)], outcome)

    said = [turn.data for turn in turns if turn.side is Side.CLIENT]
    sent, served = replayed(start, said, responses)
    fed.to_server += served
    fed.strange += sum(data not in _known() for data in said[:served])
    assert replayed(start, [part for data in said for part in _cut(data, piece)], responses)[0] == sent


class _Rest(NamedTuple):
    """What a decoder said of where it was."""

    settled: tuple[int, int, int]
    state: str


def decoded(start: Start, turns: Sequence[Sends]) -> tuple[Outcome, list[MysqlResponse | None], list[_Rest]]:
    decoder = MysqlDecoder(replace(OUTBOUND, state=start.state), LIMITS, MemoryBody)
    exchanges: list[Exchange[Any, Any]] = []
    rests: list[_Rest] = []
    error, fed = None, 0
    try:
        for turn in turns:
            fed += 1
            exchanges += decoder.feed(turn.side, turn.data, fed)
            settled, state = decoder.settled(), decoder.state()
            if state is not None and (not rests or rests[-1].settled != settled):
                rests.append(_Rest(settled, json.dumps(state)))
        for side in _SIDES:
            exchanges += decoder.end(side, Ending.ANSWERED, fed)
    except ProtocolError as refused:
        error = f"{type(refused).__name__}: {refused}"
    responses = [exchange.response for exchange in exchanges]
    return Outcome(timeless(exchanges), error, decoder.settled(), fed), responses, rests


def _goes_on(start: Start, turns: Sequence[Sends], rest: _Rest, outcome: Outcome) -> None:
    """A decoder that goes on where another one was finds the exchanges that are left."""
    skip = {Side.CLIENT: rest.settled[0], Side.SERVER: rest.settled[1]}
    context = replace(OUTBOUND, state=json.loads(rest.state), first_index=rest.settled[2])
    decoder = MysqlDecoder(context, LIMITS, MemoryBody)
    exchanges: list[Exchange[Any, Any]] = []
    error = None
    try:
        for turn in turns:
            skipped = min(skip[turn.side], len(turn.data))
            skip[turn.side] -= skipped
            if skipped < len(turn.data):
                exchanges += decoder.feed(turn.side, turn.data[skipped:], 1)
        for side in _SIDES:
            exchanges += decoder.end(side, Ending.ANSWERED, 1)
    except ProtocolError as refused:
        error = f"{type(refused).__name__}: {refused}"
    left = [found for found in outcome.exchanges if found[0].index >= rest.settled[2]]
    assert (timeless(exchanges), error) == (left, outcome.error), "a decoder that goes on sees something else"


def replayed(
    start: Start, said: Sequence[bytes], responses: Sequence[MysqlResponse | None]
) -> tuple[tuple[Any, ...], int]:
    """Everything that a responder does, as one value, and how much of what was said it has read. Its questions are
    answered by these responses in turn, or else as it says itself."""
    made = MysqlResponder(LIMITS)
    done: list[Any] = []
    output = bytearray()
    asked = 0

    def do(acts: list[Act]) -> None:
        nonlocal asked
        while acts:
            act = acts.pop(0)
            if isinstance(act, Send):
                output.extend(act.data)
                continue
            if isinstance(act, StartTls):  # what comes then is what comes out of it
                done.append((len(output), StartTls()))
                acts += made.feed(act.rest)
                continue
            done.append((len(output), act))
            if isinstance(act, Ask):
                asked += 1
                acts = _answer(made, act, responses, asked) + acts

    do(made.start())
    output.clear()  # it has a connection id of its own
    served = 0
    try:
        if start.state is not None:
            do(made.feed(response(start.capabilities)))
        for data in said:
            served += 1
            do(made.feed(data))
        do(made.end())
    except ProtocolError:
        done.append((len(output), Hang(reset=True)))  # as it is when something was owed before the error
    return (done, bytes(output)), served


def _answer(made: MysqlResponder, ask: Ask, responses: Sequence[MysqlResponse | None], asked: int) -> list[Act]:
    if ask.otherwise is not None and (asked <= 2 or asked % 2 or not responses):
        return made.answer(ask.otherwise)
    if not responses:
        return made.miss("nothing", {})
    ending = Ending.ANSWERED if asked % 5 else Ending.CUT_SHORT
    return made.answer(Reply(responses[asked % len(responses)], ending))


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
