"""What no other room knows, as raw bytes, so that no dependency goes unrecorded."""

from __future__ import annotations

from protocols.furniture import Room
from protocols.generic.detect import detect
from protocols.late import Late, room_parts

ROOM = Room(
    name="generic",
    kinds=("Generic",),
    detect=detect,
    begins=Late("protocols.generic.match", "begins"),
    **room_parts(__name__, "GenericDecoder", "GenericResponder"),
)

# A connection that never came to be, as an exchange: see `decode.connection_failed`.
connection_failed = Late("protocols.generic.decode", "connection_failed")
