"""The life of a connection of which only the ends are understood, as a table."""

from __future__ import annotations

from enum import StrEnum

from testset.errors import ProtocolError
from testset.model import Side


class State(StrEnum):
    OPEN = "open"
    CLIENT_CLOSED = "closed by the client"
    SERVER_CLOSED = "closed by the server"
    CLOSED = "closed"


class Event(StrEnum):
    CLIENT_SENDS = "client sends"
    SERVER_SENDS = "server sends"
    CLIENT_ENDS = "client ends"
    SERVER_ENDS = "server ends"
    RESET = "reset"


SENDS = {Side.CLIENT: Event.CLIENT_SENDS, Side.SERVER: Event.SERVER_SENDS}
ENDS = {Side.CLIENT: Event.CLIENT_ENDS, Side.SERVER: Event.SERVER_ENDS}

AFTER: dict[State, dict[Event, State]] = {
    State.OPEN: {
        Event.CLIENT_SENDS: State.OPEN,
        Event.SERVER_SENDS: State.OPEN,
        Event.CLIENT_ENDS: State.CLIENT_CLOSED,
        Event.SERVER_ENDS: State.SERVER_CLOSED,
        Event.RESET: State.CLOSED,
    },
    State.CLIENT_CLOSED: {
        Event.SERVER_SENDS: State.CLIENT_CLOSED,
        Event.CLIENT_ENDS: State.CLIENT_CLOSED,
        Event.SERVER_ENDS: State.CLOSED,
        Event.RESET: State.CLOSED,
    },
    State.SERVER_CLOSED: {
        Event.CLIENT_SENDS: State.SERVER_CLOSED,
        Event.SERVER_ENDS: State.SERVER_CLOSED,
        Event.CLIENT_ENDS: State.CLOSED,
        Event.RESET: State.CLOSED,
    },
    State.CLOSED: {  # a reset is told for each side
        Event.CLIENT_ENDS: State.CLOSED,
        Event.SERVER_ENDS: State.CLOSED,
        Event.RESET: State.CLOSED,
    },
}


def after(state: State, event: Event) -> State:
    try:
        return AFTER[state][event]
    except KeyError:
        raise ProtocolError(f"{event} on a connection that is {state}") from None
