"""MySQL and MariaDB, as their clients and servers speak since version 4.1 (the protocol's version 10)."""

from __future__ import annotations

from protocols.furniture import Room
from protocols.late import Late, room_parts
from protocols.mysql.detect import detect

ROOM = Room(
    name="mysql",
    kinds=("MySQL",),
    detect=detect,
    opens=Late("protocols.mysql.match", "opens"),
    standing=Late("protocols.mysql.match", "standing"),
    subjects=Late("protocols.mysql.match", "subjects"),
    **room_parts(__name__, "MysqlDecoder", "MysqlResponder"),
)
