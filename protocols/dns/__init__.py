"""DNS over datagrams: which names the app looked up, and what it was told."""

from __future__ import annotations

from protocols.dns.detect import detect
from protocols.furniture import Room
from protocols.late import Late, room_parts

ROOM = Room(
    name="dns",
    kinds=("DNS",),
    detect=detect,
    standing=Late("protocols.dns.match", "standing"),
    **room_parts(__name__, "DnsDecoder", "DnsResponder"),
)

# Datagrams by themselves, for whoever runs a DNS server: see `messages`.
exchange_from = Late("protocols.dns.messages", "exchange_from")
request_of = Late("protocols.dns.messages", "request_of")
answer_for = Late("protocols.dns.messages", "answer_for")
build_answer = Late("protocols.dns.messages", "build_answer")
build_error = Late("protocols.dns.messages", "build_error")
