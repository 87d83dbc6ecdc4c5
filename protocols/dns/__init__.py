"""DNS over datagrams: which names the app looked up, and what it was told."""

from __future__ import annotations

from protocols.dns.decode import DnsDecoder
from protocols.dns.match import detect, difference, is_effect, rebind, response_values, route, title, values
from protocols.dns.messages import (
    DnsExchange,
    DnsRequest,
    DnsResponse,
    answer_for,
    build_answer,
    build_error,
    exchange_from,
    request_of,
)
from protocols.dns.serve import DnsResponder
from protocols.dns.yaml import KINDS, from_spec, to_spec
from protocols.furniture import Room

__all__ = [
    "ROOM",
    "DnsExchange",
    "DnsRequest",
    "DnsResponse",
    "answer_for",
    "build_answer",
    "build_error",
    "exchange_from",
    "request_of",
]

ROOM = Room(
    name="dns",
    kinds=KINDS,
    detect=detect,
    decoder=DnsDecoder,
    responder=DnsResponder,
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
