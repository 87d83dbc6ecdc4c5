"""What no other room knows, as raw bytes, so that no dependency goes unrecorded."""

from __future__ import annotations

from protocols.furniture import Room
from protocols.generic.detect import detect
from protocols.late import late, room_parts

ROOM = Room(
    name="generic",
    kinds=("Generic",),
    detect=detect,
    begins=late("protocols.generic.match", "begins"),
    **room_parts(__name__, "GenericDecoder", "GenericResponder"),
)

# A connection that never came to be, as an exchange: see `decode.connection_failed`.
connection_failed = late("protocols.generic.decode", "connection_failed")
