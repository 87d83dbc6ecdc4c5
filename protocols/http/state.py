"""The conversation as tables: which part may come when. `decode` and `serve` look here and decide nothing themselves.

An exchange moves by the parts of its request and of its response. A server may answer before the request is complete,
so the two run beside each other; pipelined exchanges each have a state of their own.
"""

from __future__ import annotations

from enum import StrEnum

from protocols.http.wire import Framing
from testset.errors import ProtocolError


class Part(StrEnum):
    """What was just seen of an exchange."""

    REQUEST_HEAD = "request head"
    REQUEST_END = "end of the request"
    INTERIM = "interim response"
    RESPONSE_HEAD = "response head"
    RESPONSE_END = "end of the response"
    SWITCH = "switch of protocols"


class State(StrEnum):
    """Where an exchange is."""

    IDLE = "idle"
    SENDING = "sending the request"
    WAITING = "waiting for the response"
    BOTH = "sending the request while the response arrives"
    EARLY = "sending the request after the response was complete"
    ANSWERING = "receiving the response"
    DONE = "done"
    SWITCHED = "no longer HTTP"


AFTER: dict[State, dict[Part, State]] = {
    State.IDLE: {Part.REQUEST_HEAD: State.SENDING},
    State.SENDING: {
        Part.REQUEST_END: State.WAITING,
        Part.INTERIM: State.SENDING,
        Part.RESPONSE_HEAD: State.BOTH,
        Part.SWITCH: State.SWITCHED,
    },
    State.WAITING: {
        Part.INTERIM: State.WAITING,
        Part.RESPONSE_HEAD: State.ANSWERING,
        Part.SWITCH: State.SWITCHED,
    },
    State.BOTH: {Part.REQUEST_END: State.ANSWERING, Part.RESPONSE_END: State.EARLY},
    State.EARLY: {Part.REQUEST_END: State.DONE},
    State.ANSWERING: {Part.RESPONSE_END: State.DONE},
    State.DONE: {},
    State.SWITCHED: {},
}


def after(state: State, part: Part) -> State:
    try:
        return AFTER[state][part]
    except KeyError:
        raise ProtocolError(f"{part} while {state}") from None


class Step(StrEnum):
    """What the next bytes of one direction are."""

    HEAD = "head"
    FIXED = "body of known length"
    CHUNK_SIZE = "chunk size"
    CHUNK_DATA = "chunk data"
    CHUNK_END = "end of a chunk"
    TRAILERS = "trailers"
    UNTIL_CLOSE = "body until the connection closes"


# What follows a head, by the framing that the head announced.
BODY_STEP: dict[Framing, Step] = {
    Framing.NONE: Step.HEAD,
    Framing.LENGTH: Step.FIXED,
    Framing.CHUNKED: Step.CHUNK_SIZE,
    Framing.CLOSE: Step.UNTIL_CLOSE,
}
