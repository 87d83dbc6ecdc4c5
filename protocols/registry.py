"""The rooms there are, and which of them a connection or a document belongs to."""

from __future__ import annotations

from typing import Literal

from protocols import dns, generic, http, mysql
from protocols.furniture import Guess, Room
from testset.errors import DocumentError

ROOMS: tuple[Room, ...] = (http.ROOM, mysql.ROOM, generic.ROOM, dns.ROOM)

Detection = Room | Literal[Guess.NO, Guess.MORE]

_BY_NAME = {room.name: room for room in ROOMS}
_BY_KIND = {kind: room for room in ROOMS for kind in room.kinds}


def detect(client: bytes, server: bytes) -> Detection:
    """The room that knows a connection by its first bytes; NO when none does (it is then kept as raw bytes), MORE when
    more bytes may tell."""
    more = False
    for room in ROOMS:
        guess = room.detect(client, server)
        if guess is Guess.YES:
            return room
        more = more or guess is Guess.MORE
    return Guess.MORE if more else Guess.NO


def room_for_kind(kind: str) -> Room:
    """The room that reads documents of this kind."""
    room = _BY_KIND.get(kind)
    if room is None:
        raise DocumentError(f"unknown kind {kind!r}; rr reads {', '.join(sorted(_BY_KIND))}")
    return room


def room_named(name: str) -> Room:
    return _BY_NAME[name]
