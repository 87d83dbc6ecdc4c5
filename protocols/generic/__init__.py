"""What no other room knows, as raw bytes, so that no dependency goes unrecorded."""

from __future__ import annotations

from protocols.furniture import Room
from protocols.generic.decode import GenericDecoder, connection_failed
from protocols.generic.match import (
    begins,
    detect,
    difference,
    is_effect,
    rebind,
    response_values,
    route,
    title,
    values,
)
from protocols.generic.serve import GenericResponder
from protocols.generic.yaml import KINDS, from_spec, to_spec

__all__ = ["ROOM", "connection_failed"]

ROOM = Room(
    name="generic",
    kinds=KINDS,
    detect=detect,
    decoder=GenericDecoder,
    responder=GenericResponder,
    route=route,
    values=values,
    response_values=response_values,
    rebind=rebind,
    is_effect=is_effect,
    difference=difference,
    title=title,
    to_spec=to_spec,
    from_spec=from_spec,
    begins=begins,
)
