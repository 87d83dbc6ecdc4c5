"""The namespace's packet rules, as nf_tables messages: what leaves the app is led to rr's sockets.

```
table inet rr {
  chain syn    { type filter hook output priority -150;   # hold each new connection until rr has dialled
    meta mark OWN accept;  tcp flags & (fin|syn|rst|ack) == syn  queue }
  chain answer { type filter hook output priority -120;   # what rr said of it
    meta mark REFUSE reject with tcp reset;  meta mark UNREACH reject with icmpx host-unreachable }
  chain out    { type nat hook output priority -101;
    meta mark OWN accept;  tcp redirect to :PORT;  udp dport 53 redirect to :DNS }
  chain udp    { type filter hook prerouting priority -150;   # all other datagrams, with where they were going
    meta mark OWN accept; udp, not the app's own, not DNS: tproxy to :UDP }
}
```

In a container's namespace, which rr has not made, there are real interfaces, and the relay itself lives there: what its
user sends passes, as what is marked does. Instead of `udp` there are chains for what comes in:

```
  chain knock  { type filter hook prerouting priority -150;   # does the app listen there? then it may come in
    iif lo accept;  tcp flags & (fin|syn|rst|ack) == syn  queue }
  chain in     { type nat hook prerouting priority -101;
    iif lo accept;  meta mark OWN accept;  tcp redirect to :INBOUND }
```

At replay there, others may reach the app, but nothing leaves:

```
  chain wall   { type filter hook output priority 0;   # after `out`
    oif lo accept;  tcp accept;  drop }
```
"""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass

from intercept import netlink
from intercept.netlink import attr, message, nest, text, u32

MARK_OWN = 0x7272  # rr's own sockets inside, and connections of the app to itself
MARK_REFUSE = 0x7273
MARK_UNREACH = 0x7274
RELAY_USER = 64727  # whose sockets pass, where the relay lives in the app's namespace: no user of an image has this id
QUEUE = 7272

_SUBSYSTEM = 10 << 8  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEWTABLE, _NEWCHAIN, _NEWRULE = 0, 3, 6
_INET = 1  # NFPROTO_INET
_OUTPUT, _PREROUTING = 3, 0
_DROP, _ACCEPT = 0, 1
_BEFORE_DOCKER = -101  # Docker leads questions for names elsewhere, at -100: the first that does is obeyed

_META_MARK, _META_IIF, _META_OIF, _META_SKUID, _META_NFPROTO, _META_L4PROTO = 3, 4, 5, 10, 15, 16
_LOOPBACK = 1  # its interface's number, in every namespace
_EQUAL, _NOT_EQUAL = 0, 1
_REGISTER = 1  # NFT_REG_1
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2


@dataclass(frozen=True, slots=True)
class Ports:
    """Where rr's sockets inside the namespace listen."""

    tcp: int
    dns: int
    udp: int
    inbound: int = 0  # only where the relay lives beside the app


@dataclass(frozen=True, slots=True)
class Installed:
    """Which of the rules this kernel took."""

    queue: bool  # connect() can be answered truthfully
    udp: bool  # datagrams other than DNS can be seen


def install(ports: Ports, *, queue: bool, walled: bool = False) -> Installed:
    """Install the rules; raises OSError when even the redirect is not to be had. `queue`: hold new connections, if the
    kernel can. `walled`: nothing else leaves by a real interface."""
    with netlink.open_socket(netlink.NETLINK_NETFILTER) as sock:
        beside = ports.inbound != 0
        own = _own(beside)
        _commit(
            sock, [_table(), *_redirect(ports, own), *(_inbound(ports) if beside else ()), *(_wall() if walled else ())]
        )
        steps = (_queue(), _queue_compat())
        queue = queue and any(_try(sock, [*_syn(step, own, beside), *_answers()]) for step in steps)
        udp = not beside and not walled and _try(sock, _datagrams(ports))
    return Installed(queue=queue, udp=udp)


# -- the chains -------------------------------------------------------------------------------------------------


def _own(beside: bool) -> list[list[bytes]]:
    """What is rr's own passes; in a namespace with real interfaces that is also what the relay's user sends."""
    relay = [_expr("meta", u32(1, _REGISTER), u32(2, _META_SKUID)), _compare(_EQUAL, struct.pack("=I", RELAY_USER))]
    return [_mark(MARK_OWN), *([relay] if beside else [])]


def _redirect(ports: Ports, own: list[list[bytes]]) -> list[bytes]:
    to_tcp = _expr("immediate", u32(1, _REGISTER), _data(2, struct.pack("!H", ports.tcp)))
    to_dns = _expr("immediate", u32(1, _REGISTER), _data(2, struct.pack("!H", ports.dns)))
    redirect = _expr("redir", u32(1, _REGISTER))
    dport = _expr("payload", u32(1, _REGISTER), u32(2, _TRANSPORT_HEADER), u32(3, 2), u32(4, 2))
    return [
        _chain("out", _OUTPUT, _BEFORE_DOCKER, "nat"),
        *(_rule("out", *which, _accept()) for which in own),
        _rule("out", *_l4(socket.IPPROTO_TCP), to_tcp, redirect),
        _rule("out", *_l4(socket.IPPROTO_UDP), dport, _compare(_EQUAL, struct.pack("!H", 53)), to_dns, redirect),
    ]


def _inbound(ports: Ports) -> list[bytes]:
    to_relay = _expr("immediate", u32(1, _REGISTER), _data(2, struct.pack("!H", ports.inbound)))
    return [
        _chain("in", _PREROUTING, _BEFORE_DOCKER, "nat"),
        _rule("in", *_from_loopback(), _accept()),
        _rule("in", *_mark(MARK_OWN), _accept()),
        _rule("in", *_l4(socket.IPPROTO_TCP), to_relay, _expr("redir", u32(1, _REGISTER))),
    ]


def _wall() -> list[bytes]:
    """TCP that the app opens goes to rr before this; what is left of it are answers to those who came to the app."""
    to_loopback = [_expr("meta", u32(1, _REGISTER), u32(2, _META_OIF)), _compare(_EQUAL, struct.pack("=I", _LOOPBACK))]
    return [
        _chain("wall", _OUTPUT, 0, "filter"),
        _rule("wall", *to_loopback, _accept()),
        _rule("wall", *_l4(socket.IPPROTO_TCP), _accept()),
        _rule("wall", _expr("immediate", u32(1, 0), nest(2, nest(2, u32(1, _DROP))))),
    ]


def _syn(queue: bytes, own: list[list[bytes]], beside: bool) -> list[bytes]:
    flags = _expr("payload", u32(1, _REGISTER), u32(2, _TRANSPORT_HEADER), u32(3, 13), u32(4, 1))
    only = _expr("bitwise", u32(1, _REGISTER), u32(2, _REGISTER), u32(3, 1), _data(4, b"\x17"), _data(5, b"\x00"))
    first = [*_l4(socket.IPPROTO_TCP), flags, only, _compare(_EQUAL, b"\x02"), queue]
    rules = [
        _chain("syn", _OUTPUT, -150, "filter"),
        *(_rule("syn", *which, _accept()) for which in own),
        _rule("syn", *first),
    ]
    if beside:
        rules += [
            _chain("knock", _PREROUTING, -150, "filter"),
            _rule("knock", *_from_loopback(), _accept()),
            _rule("knock", *first),
        ]
    return rules


def _from_loopback() -> list[bytes]:
    return [_expr("meta", u32(1, _REGISTER), u32(2, _META_IIF)), _compare(_EQUAL, struct.pack("=I", _LOOPBACK))]


def _answers() -> list[bytes]:
    reset = _expr("reject", u32(1, 1), attr(2, b"\0"))  # NFT_REJECT_TCP_RST
    unreachable = _expr("reject", u32(1, 2), attr(2, b"\x02"))  # NFT_REJECT_ICMPX_UNREACH, host
    return [
        _chain("answer", _OUTPUT, -120, "filter"),
        _rule("answer", *_l4(socket.IPPROTO_TCP), *_mark(MARK_REFUSE), reset),
        _rule("answer", *_mark(MARK_UNREACH), unreachable),
    ]


def _datagrams(ports: Ports) -> list[bytes]:
    dport = _expr("payload", u32(1, _REGISTER), u32(2, _TRANSPORT_HEADER), u32(3, 2), u32(4, 2))
    sport = _expr("payload", u32(1, _REGISTER), u32(2, _TRANSPORT_HEADER), u32(3, 0), u32(4, 2))
    not_dns = [_compare(_NOT_EQUAL, struct.pack("!H", port)) for port in (53, ports.dns)]
    port = _expr("immediate", u32(1, _REGISTER), _data(2, struct.pack("!H", ports.udp)))
    # A datagram for a socket of the app itself stays: `socket wildcard` finds bound ones, wildcard-bound included.
    own_socket = [
        _expr("socket", u32(1, 2), u32(2, _REGISTER)),
        _compare(_EQUAL, b"\x00"),
        _accept(),
    ]
    loopback4 = [
        _expr("meta", u32(1, _REGISTER), u32(2, _META_NFPROTO)),
        _compare(_EQUAL, bytes([2])),
        _expr("payload", u32(1, _REGISTER), u32(2, _NETWORK_HEADER), u32(3, 16), u32(4, 1)),
        _compare(_EQUAL, b"\x7f"),
    ]
    rules = [
        _chain("udp", _PREROUTING, -150, "filter"),
        _rule("udp", *_mark(MARK_OWN), _accept()),
        _rule("udp", *_l4(socket.IPPROTO_UDP), sport, _compare(_EQUAL, struct.pack("!H", ports.dns)), _accept()),
        _rule("udp", *loopback4, *_l4(socket.IPPROTO_UDP), *own_socket),
        _rule("udp", *loopback4, *_l4(socket.IPPROTO_UDP), own_socket[0], _compare(_EQUAL, b"\x01"), _accept()),
    ]
    for family in (2, 10):
        rules.append(
            _rule(
                "udp",
                _expr("meta", u32(1, _REGISTER), u32(2, _META_NFPROTO)),
                _compare(_EQUAL, bytes([family])),
                *_l4(socket.IPPROTO_UDP),
                dport,
                *not_dns,
                port,
                _expr("tproxy", u32(1, family), u32(3, _REGISTER)),
                _accept(),
            )
        )
    return rules


# -- nf_tables ---------------------------------------------------------------------------------------------------


def _message(kind: int, flags: int, *parts: bytes) -> bytes:
    return message(
        _SUBSYSTEM | kind,
        netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | flags,
        struct.pack("!BBH", _INET, 0, 0) + b"".join(parts),
    )


def _table() -> bytes:
    return _message(_NEWTABLE, netlink.NLM_F_CREATE, text(1, "rr"), u32(2, 0))


def _chain(name: str, hook: int, priority: int, kind: str) -> bytes:
    where = nest(4, u32(1, hook), u32(2, priority & 0xFFFFFFFF))
    return _message(_NEWCHAIN, netlink.NLM_F_CREATE, text(1, "rr"), text(3, name), where, text(7, kind))


def _rule(chain: str, *expressions: bytes) -> bytes:
    body = nest(4, *expressions)
    return _message(_NEWRULE, netlink.NLM_F_CREATE | netlink.NLM_F_APPEND, text(1, "rr"), text(2, chain), body)


def _expr(name: str, *parts: bytes) -> bytes:
    return nest(1, text(1, name), nest(2, *parts))


def _data(kind: int, value: bytes) -> bytes:
    return nest(kind, attr(1, value))


def _compare(operator: int, value: bytes) -> bytes:
    return _expr("cmp", u32(1, _REGISTER), u32(2, operator), _data(3, value))


def _mark(value: int) -> list[bytes]:
    return [_expr("meta", u32(1, _REGISTER), u32(2, _META_MARK)), _compare(_EQUAL, struct.pack("=I", value))]


def _l4(protocol: int) -> list[bytes]:
    return [_expr("meta", u32(1, _REGISTER), u32(2, _META_L4PROTO)), _compare(_EQUAL, bytes([protocol]))]


def _accept() -> bytes:
    return _expr("immediate", u32(1, 0), nest(2, nest(2, u32(1, _ACCEPT))))


def _queue() -> bytes:
    # without the bypass flag a dead relay holds new connections until it is back, instead of letting them through
    return _expr("queue", attr(1, struct.pack("!H", QUEUE)), attr(2, struct.pack("!H", 1)))


def _queue_compat() -> bytes:
    """The same by iptables' own target, for kernels built without nft_queue."""
    info = struct.pack("=HHHH", QUEUE, 1, 0, 0)
    return _expr("target", text(1, "NFQUEUE"), u32(2, 3), attr(3, info))


def _commit(sock: socket.socket, parts: list[bytes]) -> None:
    head = struct.pack("!BBH", 0, 0, 10)
    begin = message(_BATCH_BEGIN, netlink.NLM_F_REQUEST, head)
    end = message(_BATCH_END, netlink.NLM_F_REQUEST, head)
    netlink.request(sock, begin + b"".join(parts) + end, answers=len(parts))


def _try(sock: socket.socket, parts: list[bytes]) -> bool:
    try:
        _commit(sock, parts)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.EPROTONOSUPPORT):
            while _pending(sock):
                pass
            return False
        raise
    return True


def _pending(sock: socket.socket) -> bool:
    try:
        return bool(sock.recv(65536, socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False
