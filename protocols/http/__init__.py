"""HTTP/1.1, and what mitmproxy hands over of HTTPS and HTTP/2."""

from __future__ import annotations

from protocols.furniture import Room
from protocols.http.detect import detect
from protocols.late import room_parts

ROOM = Room(name="http", kinds=("Http",), detect=detect, **room_parts(__name__, "HttpDecoder", "HttpResponder"))
