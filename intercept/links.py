"""The namespace's links and routes: loopback up, and every address in the world delivered to it."""

from __future__ import annotations

import errno
import pathlib
import socket
import struct

from intercept import netlink

_RTM_NEWLINK = 16
_RTM_NEWROUTE = 24
_IFF_UP = 1
_LOOPBACK = 1  # the index of `lo` in every namespace
_RT_TABLE_LOCAL = 255
_RTPROT_BOOT = 3
_RT_SCOPE_HOST = 254
_RT_SCOPE_UNIVERSE = 0
_RTN_LOCAL = 2
_RTA_OIF = 4

_ASK = netlink.NLM_F_REQUEST | netlink.NLM_F_ACK


def deliver_everything_here() -> bool:
    """Bring `lo` up and make every IPv4 and IPv6 address a local one. Returns whether there is IPv6."""
    with netlink.open_socket(netlink.NETLINK_ROUTE) as sock:
        up = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, _LOOPBACK, _IFF_UP, _IFF_UP)
        netlink.request(sock, netlink.message(_RTM_NEWLINK, _ASK, up))
        netlink.request(sock, _local_default(socket.AF_INET, _RT_SCOPE_HOST), tolerate=(errno.EEXIST,))
        try:
            netlink.request(sock, _local_default(socket.AF_INET6, _RT_SCOPE_UNIVERSE), tolerate=(errno.EEXIST,))
        except OSError:
            return False  # a kernel without IPv6: the app has none either
    return True


def has_ipv6() -> bool:
    """Whether any interface of this namespace has an IPv6 address."""
    try:
        return bool(pathlib.Path("/proc/self/net/if_inet6").read_text())
    except OSError:
        return False


def _local_default(family: int, scope: int) -> bytes:
    route = struct.pack("=BBBBBBBBI", family, 0, 0, 0, _RT_TABLE_LOCAL, _RTPROT_BOOT, scope, _RTN_LOCAL, 0)
    body = route + netlink.attr(_RTA_OIF, struct.pack("=I", _LOOPBACK))
    return netlink.message(_RTM_NEWROUTE, _ASK | netlink.NLM_F_CREATE | netlink.NLM_F_EXCL, body)
