"""HTTP/1.1 and HTTP/2, in clear or as it was said inside TLS."""

from __future__ import annotations

from protocols.furniture import Room
from protocols.http.detect import detect
from protocols.late import Late, room_parts

_parts = room_parts(__name__, "HttpDecoder", "HttpResponder") | {
    "decoder": Late(f"{__name__}.versions", "AnyDecoder"),
    "responder": Late(f"{__name__}.versions", "AnyResponder"),
}
_parts |= {name: Late(f"{__name__}.sqs", name) for name in ("fit", "poll", "queueing", "standing")}
ROOM = Room(name="http", kinds=("Http",), detect=detect, **_parts)
