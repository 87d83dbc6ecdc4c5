"""Conversations are equal when the client's turns are; a server's address is all the route there is."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import replace

from protocols.documents import readable
from protocols.furniture import Difference, Value
from protocols.generic.wire import GenericRequest, GenericResponse, Turn
from testset.model import Server, Side


def route(server: Server, request: GenericRequest) -> Hashable:
    return ("generic", server.host, server.port)


def begins(recorded: GenericRequest, asked: GenericRequest) -> bool:
    """Whether the recorded conversation begins with what the client has sent so far. Where the network cut the client's
    bytes does not count."""
    return b"".join(recorded.turns).startswith(b"".join(asked.turns))


def is_effect(request: GenericRequest) -> bool:
    """Nobody knows what the bytes do; a connection on which the client said nothing does nothing."""
    return bool(request.turns)


def title(server: Server, request: GenericRequest) -> str:
    size = sum(len(turn) for turn in request.turns)
    return f"connection to {server}" + (f", {size} bytes sent" if size else "")


def _values(turns: tuple[bytes, ...]) -> list[Value]:
    return [Value(f"turn[{index}]", _shown(turn)) for index, turn in enumerate(turns)]


def _shown(data: bytes) -> str:
    text = readable(data)
    return data.hex() if text is None else text


def values(request: GenericRequest) -> list[Value]:
    return _values(request.turns)


def response_values(response: GenericResponse) -> list[Value]:
    return _values(tuple(turn.data for turn in response.turns if turn.side is Side.SERVER))


def difference(
    server: Server, recorded: GenericRequest, actual_server: Server, actual: GenericRequest
) -> Difference | None:
    if server != actual_server:
        return Difference("server", str(server), str(actual_server))
    old, new = b"".join(recorded.turns), b"".join(actual.turns)
    if old == new:
        return None
    offset = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    return Difference(f"bytes {offset}-{offset + 15}", repr(old[offset : offset + 16]), repr(new[offset : offset + 16]))


def rebind(response: GenericResponse, mapping: Mapping[str, str]) -> GenericResponse:
    """Values of the same length only: an unknown protocol may count its bytes."""
    pairs = {
        old.encode(): new.encode() for old, new in mapping.items() if old and len(old.encode()) == len(new.encode())
    }
    if not pairs:
        return response
    pattern = re.compile(b"|".join(re.escape(key) for key in sorted(pairs, key=len, reverse=True)))
    turns = tuple(
        Turn(turn.side, pattern.sub(lambda match: pairs[match[0]], turn.data)) if turn.side is Side.SERVER else turn
        for turn in response.turns
    )
    return replace(response, turns=turns)
