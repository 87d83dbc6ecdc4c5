"""The login at replay: everybody is let in, whatever the password.

The greeting is the recorded one, because drivers do what they do by the server's version. A client is answered as the
plugin that it names would answer it: `caching_sha2_password` has a word to say before the OK.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocols.furniture import Limits
from protocols.mysql.answers import Dialect, ok
from protocols.mysql.commands import Commands
from protocols.mysql.messages import Greeting, MysqlRequest, MysqlResponse, Ok, Operation, Session
from protocols.mysql.parameters import Reader
from protocols.mysql.session import AUTOCOMMIT, SessionState
from testset.errors import ProtocolError

_LONG_PASSWORD = 1 << 0  # unset by MariaDB, which then has capabilities of its own
_CONNECT_WITH_DB = 1 << 3
_COMPRESS = 1 << 5
_PROTOCOL_41 = 1 << 9
_SSL = 1 << 11
_SECURE_CONNECTION = 1 << 15
_PLUGIN_AUTH = 1 << 19
_AUTH_LENENC = 1 << 21
_SESSION_TRACK = 1 << 23
_DEPRECATE_EOF = 1 << 24
_OPTIONAL_METADATA = 1 << 25
_ZSTD = 1 << 26
_QUERY_ATTRIBUTES = 1 << 27
_MULTI_FACTOR = 1 << 28
_EXTENSION = 1 << 29
_EXTENDED_METADATA = 1 << 3  # MariaDB's own, from here on
_CACHE_METADATA = 1 << 4

_ALL = 0xFFFFFFFF & ~(_COMPRESS | _OPTIONAL_METADATA | _ZSTD | _MULTI_FACTOR | _EXTENSION)
_HEAD = 32  # capabilities, largest packet, character set, filler: all there is of a wish for TLS
_SCRAMBLE = b"rr lets everybody in"  # 20 bytes, none of them NUL
_SHA2 = "caching_sha2_password"
_SHA2_FINE = b"\x01\x03"  # fast_auth_success
_SHA2_FULL = b"\x01\x04"  # perform_full_authentication
_UNABLE = "dummy_fallback_auth"  # libmariadb has no such plugin as it was offered, and waits for another one
_SWITCH = b"\xfemysql_native_password\0" + _SCRAMBLE + b"\0"  # AuthSwitchRequest

DEFAULT_GREETING = Greeting(server_version="8.0.43", capabilities=_ALL, plugin=_SHA2)
WELCOME = MysqlResponse(greeting=DEFAULT_GREETING, results=(Ok(),))  # where no login was recorded
LET_IN = MysqlResponse(results=(Ok(),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a client says of itself: in its response to the greeting, or when it changes its user."""

    user: str
    database: str
    plugin: str
    collation: int
    has_password: bool
    dialect: Dialect

    def request(self, *, tls: bool) -> MysqlRequest:
        return MysqlRequest(
            operation=Operation.CONNECT,
            user=self.user,
            plugin=self.plugin,
            tls=tls,
            session=Session(database=self.database),
        )


def offered(greeting: Greeting) -> Greeting:
    """A recorded greeting as rr greets: TLS always, compression never."""
    capabilities = greeting.capabilities & ~(_COMPRESS | _ZSTD) | _SSL | _PROTOCOL_41 | _SECURE_CONNECTION
    return replace(greeting, capabilities=capabilities)


def greeting_payload(greeting: Greeting, connection_id: int) -> bytes:
    """Protocol::HandshakeV10."""
    capabilities = greeting.capabilities
    extended = greeting.extended_capabilities if not capabilities & _LONG_PASSWORD else 0
    parts = [
        b"\x0a" + greeting.server_version.encode("latin-1", "replace") + b"\0",
        connection_id.to_bytes(4, "little"),
        _SCRAMBLE[:8] + b"\0",
        (capabilities & 0xFFFF).to_bytes(2, "little"),
        bytes((greeting.charset & 0xFF,)),
        (greeting.status & 0xFFFF).to_bytes(2, "little"),
        (capabilities >> 16 & 0xFFFF).to_bytes(2, "little"),
        bytes((len(_SCRAMBLE) + 1 if capabilities & _PLUGIN_AUTH else 0,)),
        bytes(6),
        (extended & 0xFFFFFFFF).to_bytes(4, "little"),
        _SCRAMBLE[8:] + b"\0",
    ]
    if capabilities & _PLUGIN_AUTH:
        parts.append(greeting.plugin.encode("latin-1", "replace") + b"\0")
    return b"".join(parts)


def wants_tls(payload: bytes) -> bool:
    """Whether it is an SSLRequest."""
    return len(payload) == _HEAD and bool(int.from_bytes(payload[:4], "little") & _SSL)


def read(payload: bytes, greeting: Greeting) -> Login:
    """Protocol::HandshakeResponse41."""
    said = int.from_bytes(payload[:4], "little")
    if len(payload) < _HEAD or not said & _PROTOCOL_41:
        raise ProtocolError("the client speaks the protocol of before MySQL 4.1")
    agreed = said & greeting.capabilities
    extended = 0
    if not agreed & _LONG_PASSWORD:
        extended = int.from_bytes(payload[28:32], "little") & greeting.extended_capabilities
    user, at = _text(payload, _HEAD)
    if said & _AUTH_LENENC and greeting.capabilities & _AUTH_LENENC:
        size, at = _lenenc(payload, at)
        at += size
    elif said & _SECURE_CONNECTION:
        size = payload[at] if at < len(payload) else 0
        at += 1 + size
    else:
        end = payload.find(b"\0", at)
        size = max(end, at) - at
        at = len(payload) if end < 0 else end + 1
    if at > len(payload):
        raise ProtocolError("the client's response to the greeting is too short")
    database, plugin = "", greeting.plugin
    if said & _CONNECT_WITH_DB and at < len(payload):
        database, at = _text(payload, at)
    if said & _PLUGIN_AUTH and at < len(payload):
        plugin, at = _text(payload, at)
    return Login(
        user=user,
        database=database,
        plugin=plugin,
        collation=payload[8],
        has_password=size > 0,
        dialect=Dialect(
            deprecate_eof=bool(agreed & _DEPRECATE_EOF),
            tracks=bool(agreed & _SESSION_TRACK),
            query_attributes=bool(agreed & _QUERY_ATTRIBUTES),
            metadata_flag=bool(agreed & _OPTIONAL_METADATA),
            extended_metadata=bool(extended & _EXTENDED_METADATA),
            cache_metadata=bool(extended & _CACHE_METADATA),
        ),
    )


def read_change(payload: bytes, before: Login) -> Login:
    """COM_CHANGE_USER. What was agreed on at the first login still is."""
    user, at = _text(payload, 1)
    if at >= len(payload):
        raise ProtocolError("COM_CHANGE_USER is too short")
    size = payload[at]
    database, at = _text(payload, at + 1 + size)
    collation, plugin = before.collation, before.plugin
    if at + 2 <= len(payload):
        collation = int.from_bytes(payload[at : at + 2], "little")
        at += 2
    if at < len(payload):
        plugin, at = _text(payload, at)
    return replace(before, user=user, database=database, plugin=plugin, collation=collation, has_password=size > 0)


def another_way(login: Login) -> bytes | None:
    """What to say to a client that can't log in as it was told to: it answers, and then waits for the last words."""
    return _SWITCH if login.plugin == _UNABLE else None


def doubt(login: Login) -> bytes | None:
    """What a server says that wants the password itself. The recorded client hung up then, without a word."""
    return _SHA2_FULL if login.plugin == _SHA2 and login.has_password else None


def last_words(login: Login, result: Ok, session: SessionState) -> list[bytes]:
    """What the client waits for after its password was looked at."""
    payloads = [_SHA2_FINE] if login.plugin == _SHA2 and login.has_password else []
    return [*payloads, ok(result, login.dialect, session.status)]


def enter(login: Login, result: Ok, limits: Limits) -> Commands:
    """A session for somebody who was let in."""
    autocommit = bool(result.status & AUTOCOMMIT)
    return Commands(
        SessionState(login.database, collation=login.collation, autocommit=autocommit), login.dialect, limits
    )


def _lenenc(payload: bytes, at: int) -> tuple[int, int]:
    reader = Reader(payload, at)
    return reader.lenenc(), reader.at


def _text(payload: bytes, at: int) -> tuple[str, int]:
    """A text up to a NUL, or to the end."""
    end = payload.find(b"\0", at)
    if end < 0:
        return payload[at:].decode("utf-8", "surrogateescape"), len(payload)
    return payload[at:end].decode("utf-8", "surrogateescape"), end + 1
