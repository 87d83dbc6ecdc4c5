"""A conversation in a protocol that no room knows: bytes, and whose turn it was. Nothing in them is understood."""

from __future__ import annotations

from dataclasses import dataclass

from testset.model import Side


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side sent until the other one spoke."""

    side: Side
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericRequest:
    """The client's turns. Of a recording they are all; of an `Ask` they are those so far, the last maybe not whole."""

    turns: tuple[bytes, ...] = ()
    truncated: bool = False  # more was sent than was kept


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericResponse:
    """The whole conversation, the client's turns too: who plays it must know when to speak."""

    turns: tuple[Turn, ...] = ()
    closed_by: Side = Side.CLIENT
    truncated: bool = False
    secure: bool = False  # it was said in TLS


def joined(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """These turns with neighbours of one side made one, and empty ones left out."""
    result: list[Turn] = []
    for turn in turns:
        if not turn.data:
            continue
        if result and result[-1].side is turn.side:
            result[-1] = Turn(turn.side, result[-1].data + turn.data)
        else:
            result.append(turn)
    return tuple(result)


def request_of(response: GenericResponse) -> GenericRequest:
    """The client's part of a conversation."""
    return GenericRequest(
        turns=tuple(turn.data for turn in response.turns if turn.side is Side.CLIENT), truncated=response.truncated
    )
