"""Which name servers this machine asks, read as its C library does."""

from __future__ import annotations

import ipaddress
import pathlib


def name_servers(path: pathlib.Path = pathlib.Path("/etc/resolv.conf")) -> list[tuple[str, int]]:
    """The servers of resolv.conf, in order; empty when there are none."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    servers = []
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                address = ipaddress.ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            servers.append((str(address), 53))
    return servers
