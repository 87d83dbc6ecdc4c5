"""HTTP/1.1, and what mitmproxy hands over of HTTPS and HTTP/2."""

from __future__ import annotations

from protocols.furniture import Room
from protocols.http.decode import HttpDecoder
from protocols.http.detect import detect
from protocols.http.match import difference, is_effect, rebind, response_values, route, title, values
from protocols.http.serve import HttpResponder
from protocols.http.yaml import KINDS, from_spec, to_spec

ROOM = Room(
    name="http",
    kinds=KINDS,
    detect=detect,
    decoder=HttpDecoder,
    responder=HttpResponder,
    route=route,
    values=values,
    response_values=response_values,
    rebind=rebind,
    is_effect=is_effect,
    difference=difference,
    title=title,
    to_spec=to_spec,
    from_spec=from_spec,
)
