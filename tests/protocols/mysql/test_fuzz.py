"""Whatever both sides say: exchanges or a `ProtocolError`, the same however it was cut.

The short version of tests/gates/test_mysql_fuzz.py.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, islice
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.furniture import Limits
from protocols.mysql.decode import MysqlDecoder
from protocols.mysql.rows import lenenc
from tests.protocols.mysql.conversations import (
    Conversation,
    Fed,
    check,
    from_bytes,
    mutated,
    seeds,
    starts,
    to_bytes,
)
from tests.protocols.mysql.wire_playbook import EOF, NAME_BYTES, OK, OK_IN_TRANSACTION, packet
from tests.protocols.playbook import OUTBOUND, MemoryBody, Sends
from testset.errors import LimitError
from testset.model import Side

CONVERSATIONS = list(seeds())
MIB = 1 << 20
PACKETS = st.builds(lambda payload, sequence: packet(payload, sequence), st.binary(max_size=60), st.integers(0, 3))
TURNS = st.builds(Sends, st.sampled_from(Side), PACKETS | st.binary(max_size=20))


def test_what_was_captured_is_understood() -> None:
    fed = Fed()
    for conversation in CONVERSATIONS:
        check(conversation, fed)
    assert (fed.refused, fed.strange) == (0, 0)
    assert fed.exchanges > 2 * len(CONVERSATIONS)


@given(st.integers(0, len(starts()) - 1), st.lists(TURNS, max_size=8), st.integers(1, 9))
def test_any_packets(start: int, turns: list[Sends], piece: int) -> None:
    check(Conversation(start, tuple(turns)), Fed(), piece=piece)


@settings(max_examples=300)
@given(st.sampled_from(CONVERSATIONS), st.integers(1, 12), st.integers(0, 2**32), st.integers(1, 9))
def test_packets_as_they_should_not_be(conversation: Conversation, turns: int, seed: int, piece: int) -> None:
    check(mutated(replace(conversation, turns=conversation.turns[:turns]), Random(seed)), Fed(), piece=piece)


@given(st.sampled_from(CONVERSATIONS), st.integers(0, 24), st.integers(0, 400))
def test_a_packet_that_breaks_off(conversation: Conversation, turns: int, most: int) -> None:
    kept = conversation.turns[:turns]
    check(replace(conversation, turns=(*kept[:-1], *[Sends(turn.side, turn.data[:most]) for turn in kept[-1:]])), Fed())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_conversation(data: bytes) -> None:
    conversation = from_bytes(data)
    assert from_bytes(to_bytes(conversation)) == conversation
    check(conversation, Fed())


# -- without end --------------------------------------------------------------------------------------------------

SMALL = Limits(head=1 << 16, message=1 << 16, messages=8, exchange=1 << 16)
MOST = 4 << 20  # bytes that are held at most for a connection with these limits
Turn = tuple[Side, bytes]
C, S = Side.CLIENT, Side.SERVER


def query(sql: str) -> Turn:
    return C, packet(b"\x03" + sql.encode())


def described(*columns: bytes) -> Turn:
    return S, b"".join(packet(payload) for payload in (lenenc(len(columns)), *columns, EOF))


def prepare(statement: int, columns: int = 0) -> Iterator[Turn]:
    yield C, packet(b"\x16SELECT a FROM t")
    yield S, packet(b"\0" + statement.to_bytes(4, "little") + columns.to_bytes(2, "little") + bytes(5))
    if columns:
        yield S, b"".join(packet(payload) for payload in (*[NAME_BYTES] * columns, EOF))


def rows() -> Iterator[Turn]:
    yield query("SELECT a FROM t")
    yield described(NAME_BYTES)
    while True:
        yield S, packet(b"\x01x") * 10


def rows_of_nothing() -> Iterator[Turn]:
    yield query("SELECT a FROM t")
    yield described(*[NAME_BYTES] * 400)
    while True:
        yield S, packet(b"\xfb" * 400)


def definitions() -> Iterator[Turn]:
    yield C, packet(b"\x04t\0")
    while True:
        yield S, packet(NAME_BYTES)


def results() -> Iterator[Turn]:
    yield query("CALL p()")
    while True:
        yield S, packet(bytes.fromhex("00 00 00 0a 00 00 00")) * 4


def rows_of_a_cursor() -> Iterator[Turn]:
    yield from prepare(1)
    yield C, packet(b"\x1c\x01\0\0\0\x01\0\0\0")
    while True:
        yield S, packet(b"\0\0") * 4


def statements() -> Iterator[Turn]:
    for number in count(1):
        yield from prepare(number)


def statements_with_columns() -> Iterator[Turn]:
    for number in count(1):
        yield from prepare(number, 20)


def writes() -> Iterator[Turn]:
    yield query("BEGIN")
    while True:
        yield S, packet(OK_IN_TRANSACTION)
        yield query("INSERT INTO t VALUES (1)")


def settings_of_a_session() -> Iterator[Turn]:
    for number in count():
        yield query(f"SET variable_{number} = 'x'")
        yield S, packet(OK)


def long_data() -> Iterator[Turn]:
    yield C, packet(b"\x16SELECT ?")
    yield S, b"".join(packet(payload) for payload in (b"\0\x01" + bytes(5) + b"\x01" + bytes(4), NAME_BYTES, EOF))
    while True:
        yield C, packet(b"\x18\x01\0\0\0\0\0" + bytes(1000))


def commands() -> Iterator[Turn]:
    while True:
        yield query(f"SELECT '{'x' * 10_000}'")


def a_file() -> Iterator[Turn]:
    yield query("LOAD DATA LOCAL INFILE 'a' INTO TABLE t")
    yield S, packet(b"\xfba")
    while True:
        yield C, packet(bytes(10_000), 2)


def proofs_of_who_somebody_is() -> Iterator[Turn]:
    yield C, packet(b"\x11bob\0\0shop\0")
    while True:
        yield S, packet(b"\xfe" + bytes(1000))
        yield C, packet(bytes(1000), 3)


def a_packet() -> Iterator[Turn]:
    yield query("SELECT a FROM t")
    yield S, b"\xff\xff\xff\x01"
    while True:
        yield S, bytes(1000)


def errors() -> Iterator[Turn]:
    while True:
        yield S, packet(b"\xff\x01\x02#HY000" + bytes(1000))


ENDLESS = [
    rows, rows_of_nothing, definitions, results, rows_of_a_cursor, statements, statements_with_columns, writes,
    settings_of_a_session, long_data, commands, a_file, proofs_of_who_somebody_is, a_packet, errors,
]  # fmt: skip


@pytest.mark.parametrize("endless", ENDLESS, ids=lambda endless: endless.__name__)
def test_what_has_no_end_is_not_kept_for_ever(endless: Callable[[], Iterator[Turn]]) -> None:
    state = next(start.state for start in starts() if start.state is not None)
    decoder = MysqlDecoder(replace(OUTBOUND, state=state), SMALL, MemoryBody)
    tracemalloc.start()
    try:
        for side, data in islice(endless(), 1500):
            decoder.feed(side, data, 1)
            decoder.state()
    except LimitError:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < MOST, f"{most >> 10} KiB"
