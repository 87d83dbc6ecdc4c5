"""Whatever both sides say: exchanges or a `ProtocolError`, the same however it was cut.

The short version of tests/gates/test_mysql_fuzz.py.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

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
from tests.protocols.mysql.wire_playbook import packet
from tests.protocols.playbook import Sends
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
