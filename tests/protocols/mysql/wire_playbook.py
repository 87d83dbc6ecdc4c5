"""Packets as clients send them and as they get them, and a responder that somebody has logged in to.

Bytes by hand: they are what is tested.
"""

from __future__ import annotations

from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send
from protocols.mysql.messages import Column, MysqlRequest, MysqlResponse, Result, ResultSet, Session
from protocols.mysql.serve import MysqlResponder
from testset.model import Ending

LIMITS = Limits(head=1 << 16, message=64 << 20, messages=8, exchange=64 << 20)

PYMYSQL = 0x00BFA28D & ~(1 << 23)  # no session tracking, no DEPRECATE_EOF
DEPRECATE_EOF = 1 << 24
SESSION_TRACK = 1 << 23
QUERY_ATTRIBUTES = 1 << 27
OPTIONAL_METADATA = 1 << 25


def packet(payload: bytes, sequence: int = 0) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def packets(*payloads: bytes, first: int = 1) -> bytes:
    return b"".join(packet(payload, first + turn) for turn, payload in enumerate(payloads))


def response(
    capabilities: int = PYMYSQL,
    *,
    plugin: bytes = b"mysql_native_password",
    auth: bytes = b"secret",
    collation: int = 45,
    extended: int = 0,
    sequence: int = 1,
) -> bytes:
    """Protocol::HandshakeResponse41 of `root`, for the database `shop`."""
    head = capabilities.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + bytes([collation])
    rest = b"root\0" + bytes([len(auth)]) + auth + b"shop\0" + plugin + b"\0"
    return packet(head + bytes(19) + extended.to_bytes(4, "little") + rest, sequence)


def answered(*results: Result, ending: Ending = Ending.ANSWERED) -> Reply:
    return Reply(MysqlResponse(results=results), ending)


def sent(acts: list[Act]) -> bytes:
    """What goes to the client; nothing else happens."""
    assert all(isinstance(act, Send) for act in acts), acts
    return b"".join(act.data for act in acts if isinstance(act, Send))


def asked(acts: list[Act]) -> MysqlRequest:
    (act,) = acts
    assert isinstance(act, Ask), act
    assert isinstance(act.request, MysqlRequest)
    return act.request


def otherwise(acts: list[Act]) -> Reply:
    (act,) = acts
    assert isinstance(act, Ask), act
    assert act.otherwise is not None
    return act.otherwise


def logged_in(
    capabilities: int = PYMYSQL, *, greeting: Reply | None = None, extended: int = 0, collation: int = 45,
    limits: Limits = LIMITS,
) -> MysqlResponder:  # fmt: skip
    made = MysqlResponder(limits)
    made.answer(greeting or otherwise(made.start()))
    acts = made.feed(response(capabilities, extended=extended, collation=collation))
    assert sent(made.answer(otherwise(acts)))
    return made


def hung(acts: list[Act]) -> bytes:
    """What goes to the client before the connection ends in order."""
    assert acts[-1] == Hang(), acts
    return sent(acts[:-1])


# -- a table, and commands about it ----------------------------------------------------------------------------------

OK = bytes.fromhex("00 00 00 02 00 00 00")
OK_IN_TRANSACTION = bytes.fromhex("00 00 00 03 00 00 00")
EOF = bytes.fromhex("fe 00 00 02 00")
SHOP = Session(database="shop")
ID = Column(name="id", type=3, length=11, flags=0x4203, schema="shop", table="t", org_table="items", org_name="id")
ID_BYTES = b"\x03def\x04shop\x01t\x05items\x02id\x02id\x0c" + bytes.fromhex("3f00 0b000000 03 0342 00 0000")
NAME = Column(name="näme", type=253, length=400, charset=45)
NAME_BYTES = b"\x03def\0\0\0\x05n\xc3\xa4me\0\x0c" + bytes.fromhex("2d00 90010000 fd 0000 00 0000")
TWO = ResultSet(columns=(ID, NAME), rows=((7, "höhe"), (8, None)))
QUERY = packet(b"\x03SELECT * FROM items")
PREPARE = packet(b"\x16SELECT * FROM items WHERE id = ? AND name = ?")
ANY = b"\x03def\0\0\0\x01?\0\x0c" + bytes.fromhex("3f00 00000000 fd 0000 00 0000")
INT_AND_TEXT = b"\x03\0\xfd\0" + b"\x07\0\0\0" + b"\x02ab"


def execute(rest: bytes, statement: int = 1, flags: int = 0) -> bytes:
    return packet(b"\x17" + statement.to_bytes(4, "little") + bytes([flags]) + b"\x01\0\0\0" + rest)


def prepared(capabilities: int = PYMYSQL) -> MysqlResponder:
    made = logged_in(capabilities)
    made.answer(otherwise(made.feed(PREPARE)))
    return made
