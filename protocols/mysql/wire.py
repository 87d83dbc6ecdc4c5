"""What a server's packets say, one payload at a time. Names and layouts as the manual has them.

Framing is `incoming`'s, what a client sends is `parameters`' and `admission`'s; how packets follow each other is
`replies`'. Whatever is no such packet is a `ProtocolError`, and nothing else.
"""

from __future__ import annotations

import struct

from protocols.mysql.messages import Column, Err, Greeting, Ok
from protocols.mysql.parameters import Reader
from protocols.mysql.terms import Status
from testset.errors import ProtocolError

OK, EOF, ERR, LOCAL_INFILE = 0x00, 0xFE, 0xFF, 0xFB
LARGEST = 0xFFFFFF  # bytes of a packet; more goes on in the next
_COLUMN = struct.Struct("<HIBHB")
_PLUGIN_AUTH = 1 << 19
_LONG_PASSWORD = 1 << 0
_SHORTEST_EOF = 9  # an EOF packet is shorter; a row that begins so is longer


def is_end(payload: bytes, *, deprecate_eof: bool) -> bool:
    """Whether this ends rows or definitions: an EOF packet, or an OK packet in its place."""
    return payload[:1] == b"\xfe" and len(payload) < (LARGEST if deprecate_eof else _SHORTEST_EOF)


def greeting(payload: bytes) -> Greeting:
    """Protocol::HandshakeV10."""
    reader = Reader(payload, 1)
    version = _until_nul(reader, payload).decode("utf-8", "replace")
    reader.take(4 + 8 + 1)  # connection id, first part of the scramble, filler
    capabilities = reader.short()
    charset, status, extended, plugin = 8, Status.AUTOCOMMIT.value, 0, ""
    if reader.left:
        charset, status = reader.byte(), reader.short()
        capabilities |= reader.short() << 16
        size = reader.byte()
        reader.take(6)
        extended = int.from_bytes(reader.take(4), "little")
        if reader.left:
            reader.take(min(reader.left, max(13, size - 8)))
        if capabilities & _PLUGIN_AUTH:
            plugin = reader.take(reader.left).rstrip(b"\0").decode("utf-8", "replace")
    return Greeting(
        server_version=version,
        capabilities=capabilities,
        extended_capabilities=0 if capabilities & _LONG_PASSWORD else extended,
        charset=charset,
        status=status,
        plugin=plugin,
    )


def ok(payload: bytes, *, tracks: bool) -> Ok:
    """OK_Packet. `tracks`: CLIENT_SESSION_TRACK was agreed on."""
    reader = Reader(payload, 1)
    affected, last_id = reader.lenenc(), reader.lenenc()
    status, warnings = (reader.short(), reader.short()) if reader.left >= 4 else (Status.AUTOCOMMIT.value, 0)
    info, changes = b"", b""
    if not tracks:
        info = reader.take(reader.left)
    elif reader.left:
        info = reader.take(reader.lenenc())
        if status & Status.SESSION_STATE_CHANGED and reader.left:
            changes = reader.take(reader.lenenc())
    return Ok(
        affected_rows=affected,
        last_insert_id=last_id,
        status=status,
        warnings=warnings,
        info=info.decode("utf-8", "surrogateescape"),
        changes=changes,
    )


def end(payload: bytes, *, deprecate_eof: bool) -> tuple[int, int]:
    """Status and warnings of what ends rows or definitions."""
    if deprecate_eof:
        last = ok(payload, tracks=False)
        return last.status, last.warnings
    if len(payload) < 5:
        return Status.AUTOCOMMIT.value, 0
    return int.from_bytes(payload[3:5], "little"), int.from_bytes(payload[1:3], "little")


def err(payload: bytes) -> Err:
    """ERR_Packet. One that comes before the greeting has no SQLSTATE."""
    reader = Reader(payload, 1)
    code = reader.short()
    text = reader.take(reader.left)
    state = ""
    if text[:1] == b"#" and len(text) >= 6:
        state, text = text[1:6].decode("latin-1"), text[6:]
    return Err(code=code, sqlstate=state, message=text.decode("utf-8", "surrogateescape"))


def column(payload: bytes, *, extended: bool) -> Column:
    """Protocol::ColumnDefinition41. `extended`: MariaDB says more of it."""
    reader = Reader(payload, 0)
    reader.take(reader.lenenc())  # the catalog, always "def"
    names = [reader.take(reader.lenenc()).decode("utf-8", "surrogateescape") for _ in range(5)]
    extra = reader.take(reader.lenenc()) if extended else b""
    reader.lenenc()  # the length of what follows
    charset, length, kind, flags, decimals = _COLUMN.unpack(reader.take(_COLUMN.size))
    schema, table, org_table, name, org_name = names
    return Column(
        name=name, type=kind, length=length, flags=flags, decimals=decimals, charset=charset, schema=schema,
        table=table, org_table=org_table, org_name=org_name, extra=extra,
    )  # fmt: skip


def _until_nul(reader: Reader, payload: bytes) -> bytes:
    end = payload.find(b"\0", reader.at)
    if end < 0:
        raise ProtocolError("a text without an end")
    text = reader.take(end - reader.at)
    reader.take(1)
    return text
