"""The conversation as a table: one query, then one answer or none. A query may be sent again."""

from __future__ import annotations

from enum import StrEnum

from testset.errors import ProtocolError
from testset.model import Ending


class State(StrEnum):
    IDLE = "idle"
    ASKED = "asked"
    DONE = "done"


class Event(StrEnum):
    QUERY = "query"
    ANSWER = "answer"
    END = "end"


AFTER: dict[State, dict[Event, State]] = {
    State.IDLE: {Event.QUERY: State.ASKED},
    State.ASKED: {Event.QUERY: State.ASKED, Event.ANSWER: State.DONE, Event.END: State.DONE},
    State.DONE: {},
}

# How an exchange ended, by the response code of its answer; every other code is an answer like any.
ENDINGS: dict[str, Ending] = {"NXDOMAIN": Ending.UNKNOWN_HOST}


def after(state: State, event: Event) -> State:
    try:
        return AFTER[state][event]
    except KeyError:
        raise ProtocolError(f"{event} while {state}") from None
