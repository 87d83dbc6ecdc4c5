"""Unix sockets on the file system: they cross a network namespace, so rr covers them with others, by bind mounts.

At record the known ones of databases (and those that the settings name) are covered by sockets of rr's own, which the
relay carries to the real ones. At replay the recorded ones are covered by sockets that the mocks answer, and every
other socket of the host by a file that nobody listens on. Abstract ones need nothing: they end at the namespace.
"""

from __future__ import annotations

import glob
import os
import pathlib
import socket
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

KNOWN = (
    "/run/mysqld/mysqld*.sock",
    "/var/run/mysqld/mysqld*.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",
    "/run/postgresql/.s.PGSQL.[0-9]*",
    "/var/run/postgresql/.s.PGSQL.[0-9]*",
    "/tmp/.s.PGSQL.[0-9]*",
    "/run/redis/*.sock",
    "/var/run/redis/*.sock",
    "/run/memcached/*.sock",
    "/run/mongodb/*.sock",
    "/tmp/mongodb-[0-9]*.sock",
)
# Services that resolve names over a socket. Without them the C library asks by DNS, which rr sees.
RESOLVERS = (
    "/run/nscd/socket",
    "/var/run/nscd/socket",
    "/run/systemd/resolve/io.systemd.Resolve",
    "/run/systemd/resolve/io.systemd.Resolve.Monitor",
)
_LISTENING = 0x10000  # SO_ACCEPTCON in /proc/net/unix
_DATAGRAMS = "0002"  # SOCK_DGRAM, as the table writes it
_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Cover:
    """A socket of rr's own in the place of a real one."""

    path: str  # the real one's, links resolved
    own: str  # rr's
    listener: socket.socket

    @property
    def mount(self) -> tuple[str, str]:
        return self.own, self.path

    def close(self) -> None:
        self.listener.close()
        pathlib.Path(self.own).unlink(missing_ok=True)


def sockets(patterns: Iterable[str]) -> list[str]:
    """The sockets that match and are there, links resolved, each once."""
    found = {os.path.realpath(path) for pattern in patterns for path in glob.glob(pattern)}
    return sorted(path for path in found if _is_socket(path))


def listening() -> list[str]:
    """The paths of all Unix sockets on which somebody on this machine listens, or takes datagrams (`/dev/log`)."""
    found = set()
    with open("/proc/net/unix", errors="surrogateescape") as table:
        next(table, None)
        for line in table:
            words = line.rstrip("\n").split(maxsplit=7)
            if (
                len(words) == 8
                and words[7].startswith("/")
                and (words[4] == _DATAGRAMS or int(words[3], 16) & _LISTENING)
            ):
                found.add(words[7])
    return sorted(path for path in found if _is_socket(path))


def cover(path: str, folder: pathlib.Path, number: int) -> Cover:
    """Make a socket of rr's own, to be mounted over `path`; anyone may connect to it who could reach it."""
    own = str(folder / f"unix-{number}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(own)
    os.chmod(own, 0o666)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return Cover(path, own, listener)


def covers(paths: Sequence[str], folder: pathlib.Path) -> list[Cover]:
    return [cover(path, folder, number) for number, path in enumerate(paths)]


def dead_end(folder: pathlib.Path) -> str:
    """A file to be mounted over a socket: whoever connects to it is refused."""
    path = folder / "nobody-listens"
    path.touch(mode=0o600)
    return str(path)


def identity(path: str) -> tuple[int, int] | None:
    """Which file a path leads to just now."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
