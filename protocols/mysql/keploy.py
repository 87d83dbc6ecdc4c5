"""Keploy's MySQL documents, in which every packet is spelt out, as exchanges of rr's.

What a reader needs of them is taken, and nothing else: no password, scramble, length or sequence is even looked at. A
document says neither which server it was, nor what SQL a prepared statement stands for, nor in which database: that is
in other documents of the same connection. `Connections` is shown all of a file in its order, and completes them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from protocols import documents
from protocols.documents import integer, mapping, sequence, string
from protocols.mysql.columns import within
from protocols.mysql.messages import (
    Cell,
    Column,
    Err,
    Greeting,
    MysqlRequest,
    MysqlResponse,
    Ok,
    Operation,
    Prepared,
    Result,
    ResultSet,
    Session,
)
from protocols.mysql.terms import Type
from protocols.mysql.texts import said
from testset.errors import DocumentError
from testset.model import Exchange, ExchangeId, Server

MysqlExchange = Exchange[MysqlRequest, MysqlResponse]

UNKNOWN_SERVER = Server("", 0)
_REMEDY = "Record it again: Keploy did not write all of it."
_STATE_CHANGED = 0x4000
_TRANSIENT = frozenset({"COM_STMT_CLOSE", "COM_STMT_SEND_LONG_DATA", "COM_QUIT"})  # nothing is answered to these
_WHOLE = frozenset({Type.TINY, Type.SHORT, Type.LONG, Type.LONGLONG, Type.INT24, Type.YEAR})
_APPROXIMATE = frozenset({Type.FLOAT, Type.DOUBLE})
_BINARY_SIZES = {Type.TINY: 1, Type.SHORT: 2, Type.YEAR: 2, Type.LONG: 4, Type.INT24: 4, Type.LONGLONG: 8}


def is_keploys(spec: Mapping[str, Any]) -> bool:
    """Whether it spells out packets: each of them has a header."""
    for key in ("requests", "responses"):
        packets = spec.get(key)
        if isinstance(packets, list | tuple) and packets and isinstance(packets[0], Mapping):
            return "header" in packets[0]
    return False


def from_spec(spec: Mapping[str, Any]) -> MysqlExchange:
    """One document by itself. The SQL of an EXECUTE is a stand-in until `Connections` has seen it."""
    requests = _packets(spec, "requests")
    responses = _packets(spec, "responses")
    if not requests:
        raise DocumentError("requests: there is none", remedy=_REMEDY)
    if any(kind in ("HandshakeResponse41", "SSLRequest") for kind, _, _ in requests):
        request, response = _login(requests, responses)
    else:
        request = _request(spec, *requests[0])
        response = MysqlResponse(results=tuple(_result(*packet) for packet in responses))
        if not responses and request.query not in _TRANSIENT:
            raise DocumentError("responses: there is none", remedy=_REMEDY)
    started = documents.time_ns(_either(spec, "reqTimestampMock"), "reqTimestampMock")
    ended = documents.time_ns(_either(spec, "resTimestampMock"), "resTimestampMock")
    if not started:
        started = integer(spec.get("created"), "created", 0) * 1_000_000_000
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="mysql",
        inbound=False,
        server=UNKNOWN_SERVER,
        request=request,
        response=response,
        started_ns=started,
        ended_ns=max(started, ended),
    )


class Connections:
    """What the documents of each connection say of those that come after them: statements, long data, the database."""

    def __init__(self) -> None:
        self._statements: dict[tuple[str, int], str] = {}  # by connection and id
        self._long_data: dict[tuple[str, int], dict[int, bytes]] = {}
        self._databases: dict[str, str] = {}

    def completed(self, spec: Mapping[str, Any], exchange: MysqlExchange) -> MysqlExchange:
        """The exchange that was read from `spec`, with what the documents before it say. What rr wrote is whole."""
        if not is_keploys(spec):
            return exchange
        connection = _connection(spec)
        request = exchange.request
        if request.operation is Operation.CONNECT:
            self._databases[connection] = request.session.database
            return exchange
        message = _packets(spec, "requests")[0][2]
        match request.operation:
            case Operation.PREPARE:
                prepared = _packets(spec, "responses")[0]
                if prepared[0] == "COM_STMT_PREPARE_OK":
                    known = (connection, integer(prepared[2].get("statement_id"), f"{prepared[1]}.statement_id", 0))
                    self._statements[known] = request.query
            case Operation.EXECUTE:
                request = self._executed((connection, _statement_id(message)), request)
            case Operation.OTHER if request.query == "COM_STMT_SEND_LONG_DATA":
                data = self._long_data.setdefault((connection, _statement_id(message)), {})
                turn = integer(message.get("parameter_id"), "parameter_id", 0)
                data[turn] = data.get(turn, b"") + _octets(message.get("data"), "data")
            case Operation.OTHER if request.query == "COM_STMT_RESET":
                self._long_data.pop((connection, _statement_id(message)), None)
            case Operation.INIT_DB:
                self._databases[connection] = request.query
        return replace(exchange, request=replace(request, session=Session(database=self._database(connection))))

    def _executed(self, statement: tuple[str, int], request: MysqlRequest) -> MysqlRequest:
        parameters = list(request.parameters or ())
        for turn, data in self._long_data.pop(statement, {}).items():
            parameters += [None] * (turn + 1 - len(parameters))
            parameters[turn] = _as_text(data)
        query = self._statements.get(statement, request.query)
        return replace(request, query=query, parameters=tuple(parameters))

    def _database(self, connection: str) -> str:
        """The connection's; if its login is not there, the one that all others use."""
        known = set(self._databases.values())
        return self._databases.get(connection, known.pop() if len(known) == 1 else "")


# -- packets ----------------------------------------------------------------------------------------------------------

_Packet = tuple[str, str, Any]  # its type, where it stands, its message


def _packets(spec: Mapping[str, Any], part: str) -> list[_Packet]:
    metadata = mapping(spec.get("metadata"), "metadata")
    operation = _either(metadata, "requestOperation" if part == "requests" else "responseOperation")
    packets: list[_Packet] = []
    for index, item in enumerate(sequence(spec.get(part), part)):
        packet = mapping(item, f"{part}[{index}]")
        header = mapping(packet.get("header"), f"{part}[{index}].header")
        kind = string(header.get("packet_type", operation), f"{part}[{index}].header.packet_type")
        if kind == "plain_password":
            continue
        message = packet.get("message")
        packets.append((kind, f"{part}[{index}].message", message if isinstance(message, Mapping) else {}))
    return packets


def _either(spec: Mapping[str, Any], key: str) -> Any:
    """Its value, however the version of Keploy that wrote it spelt the key."""
    if key in spec:
        return spec[key]
    return next((value for name, value in spec.items() if str(name).lower() == key.lower()), None)


def _connection(spec: Mapping[str, Any]) -> str:
    return string(_either(mapping(spec.get("metadata"), "metadata"), "connID"), "metadata.connID", "")


def _statement_id(message: Mapping[str, Any]) -> int:
    return integer(message.get("statement_id"), "requests[0].message.statement_id", 0)


def _request(spec: Mapping[str, Any], kind: str, key: str, message: Mapping[str, Any]) -> MysqlRequest:
    match kind:
        case "COM_QUERY" | "COM_STMT_PREPARE":
            return MysqlRequest(operation=Operation(kind), query=said(message.get("query"), f"{key}.query"))
        case "COM_STMT_EXECUTE":
            parameters = tuple(
                _parameter(mapping(item, f"{key}.parameters[{index}]"), f"{key}.parameters[{index}]")
                for index, item in enumerate(sequence(message.get("parameters"), f"{key}.parameters"))
            )
            stand_in = f"keploy-statement:{_connection(spec)}:{_statement_id(message)}"
            return MysqlRequest(operation=Operation.EXECUTE, query=stand_in, parameters=parameters)
        case "COM_INIT_DB":
            return MysqlRequest(operation=Operation.INIT_DB, query=said(message.get("schema"), f"{key}.schema", ""))
    return MysqlRequest(operation=Operation.OTHER, query=kind)


def _login(requests: list[_Packet], responses: list[_Packet]) -> tuple[MysqlRequest, MysqlResponse]:
    said_by_client: Mapping[str, Any] = {}
    key = "requests"
    for kind, where, message in requests:
        if kind == "HandshakeResponse41":
            key, said_by_client = where, message
    request = MysqlRequest(
        operation=Operation.CONNECT,
        user=said(said_by_client.get("username"), f"{key}.username", ""),
        plugin=said(said_by_client.get("auth_plugin_name"), f"{key}.auth_plugin_name", ""),
        session=Session(database=said(said_by_client.get("database"), f"{key}.database", "")),
        tls=any(kind == "SSLRequest" for kind, _, _ in requests),
    )
    greeting: Greeting | None = None
    results: tuple[Result, ...] = ()
    for kind, where, message in responses:
        if kind == "HandshakeV10":
            greeting = Greeting(
                server_version=string(message.get("server_version"), f"{where}.server_version"),
                capabilities=within(message.get("capability_flags"), f"{where}.capability_flags", None, 0xFFFFFFFF),
                charset=within(message.get("character_set"), f"{where}.character_set", 255, 0xFF),
                status=within(message.get("status_flags"), f"{where}.status_flags", 2, 0xFFFF),
                plugin=string(message.get("auth_plugin_name"), f"{where}.auth_plugin_name", ""),
            )
        elif kind in ("OK", "ERR"):
            results = (_result(kind, where, message),)
    if not results:
        raise DocumentError("responses: the login has no end, neither OK nor ERR", remedy=_REMEDY)
    return request, MysqlResponse(greeting=greeting, results=results)


# -- results ----------------------------------------------------------------------------------------------------------


def _result(kind: str, key: str, message: Mapping[str, Any]) -> Result:
    match kind:
        case "OK":
            return _ok(key, message)
        case "ERR":
            return Err(
                code=within(message.get("error_code"), f"{key}.error_code", None, 0xFFFF),
                sqlstate=string(message.get("sql_state"), f"{key}.sql_state", ""),
                message=said(message.get("error_message"), f"{key}.error_message", ""),
            )
        case "TextResultSet" | "BinaryProtocolResultSet":
            return _result_set(key, message)
        case "COM_STMT_PREPARE_OK":
            return Prepared(
                parameters=_columns(message, "param_definitions", "num_params", key),
                columns=_columns(message, "column_definitions", "num_columns", key),
                warnings=within(message.get("warning_count"), f"{key}.warning_count", 0, 0xFFFF),
            )
    raise DocumentError(f"{key}: a packet of the type {kind!r} is not understood")


def _ok(key: str, message: Mapping[str, Any]) -> Ok:
    status = within(message.get("status_flags"), f"{key}.status_flags", 2, 0xFFFF)
    info, changes = _info(said(message.get("info"), f"{key}.info", ""), status)
    return Ok(
        affected_rows=within(message.get("affected_rows"), f"{key}.affected_rows", 0, 2**64 - 1),
        last_insert_id=within(message.get("last_insert_id"), f"{key}.last_insert_id", 0, 2**64 - 1),
        status=status if changes else status & ~_STATE_CHANGED,
        warnings=within(message.get("warnings"), f"{key}.warnings", 0, 0xFFFF),
        info=info,
        changes=changes,
    )


def _info(info: str, status: int) -> tuple[str, bytes]:
    """Keploy takes for the text what a server sends to a client that tracks the session: lengths, text, changes."""
    data = info.encode("utf-8", "surrogateescape")
    if data and data[0] < 0xFB and data[0] < len(data):
        text, rest = data[1 : data[0] + 1], data[data[0] + 1 :]
        if status & _STATE_CHANGED and rest and rest[0] < 0xFB and rest[0] == len(rest) - 1:
            return text.decode("utf-8", "surrogateescape"), rest[1:]
        if not rest:
            return text.decode("utf-8", "surrogateescape"), b""
    return info, b""


def _result_set(key: str, message: Mapping[str, Any]) -> ResultSet:
    columns = _columns(message, "columns", "columnCount", key)
    rows = []
    for index, item in enumerate(sequence(message.get("rows"), f"{key}.rows")):
        where = f"{key}.rows[{index}]"
        values = sequence(mapping(item, where).get("values"), f"{where}.values")
        if len(values) != len(columns):
            raise DocumentError(f"{where}: {len(values)} values for {len(columns)} columns", remedy=_REMEDY)
        rows.append(
            tuple(
                _cell(mapping(value, f"{where}.values[{turn}]"), f"{where}.values[{turn}]")
                for turn, value in enumerate(values)
            )
        )
    final = mapping(message.get("FinalResponse"), f"{key}.FinalResponse")
    data = _octets(final.get("data"), f"{key}.FinalResponse.data")[4:]
    if not data:
        place = f"{key}.rows[{len(rows) - 1}]" if rows else f"{key}.columns"
        raise DocumentError(f"{place}: nothing follows it, and the result set has no end", remedy=_REMEDY)
    if data[0] == 0xFF:
        return ResultSet(columns=columns, rows=tuple(rows), error=_error(data))
    status, warnings = _end(data)
    return ResultSet(columns=columns, rows=tuple(rows), status=status, warnings=warnings)


def _end(data: bytes) -> tuple[int, int]:
    """Status and warnings of an EOF packet, or of the OK packet that took its place."""
    if len(data) <= 5:
        data = data.ljust(5, b"\0")
        return int.from_bytes(data[3:5], "little"), int.from_bytes(data[1:3], "little")
    at = 1
    for _ in range(2):  # affected rows, last insert id
        at += {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(data[at] if at < len(data) else 0, 1)
    return int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")


def _error(data: bytes) -> Err:
    text = data[3:].decode("utf-8", "surrogateescape")
    state, text = (text[1:6], text[6:]) if text.startswith("#") else ("", text)
    return Err(code=int.from_bytes(data[1:3], "little"), sqlstate=state, message=text)


def _columns(message: Mapping[str, Any], part: str, count: str, key: str) -> tuple[Column, ...]:
    columns = []
    for index, item in enumerate(sequence(message.get(part), f"{key}.{part}")):
        where = f"{key}.{part}[{index}]"
        column = mapping(item, where)
        columns.append(
            Column(
                name=said(column.get("name"), f"{where}.name"),
                type=within(column.get("type"), f"{where}.type", None, 0xFF),
                length=within(column.get("column_length"), f"{where}.column_length", 0, 0xFFFFFFFF),
                flags=within(column.get("flags"), f"{where}.flags", 0, 0xFFFF),
                decimals=within(column.get("decimals"), f"{where}.decimals", 0, 0xFF),
                charset=within(column.get("character_set"), f"{where}.character_set", 63, 0xFFFF),
                schema=said(column.get("schema"), f"{where}.schema", ""),
                table=said(column.get("table"), f"{where}.table", ""),
                org_table=said(column.get("org_table"), f"{where}.org_table", ""),
                org_name=said(column.get("org_name"), f"{where}.org_name", ""),
            )
        )
    expected = integer(message.get(count), f"{key}.{count}", len(columns))
    if expected != len(columns):
        raise DocumentError(f"{key}.{part}: {len(columns)} of {expected} are there", remedy=_REMEDY)
    return tuple(columns)


# -- values -----------------------------------------------------------------------------------------------------------


def _cell(entry: Mapping[str, Any], key: str) -> Cell:
    kind, value = integer(entry.get("type"), f"{key}.type", Type.VAR_STRING), entry.get("value")
    return _typed(kind, _octets(value, key) if isinstance(value, list) else value, key)


def _parameter(entry: Mapping[str, Any], key: str) -> Cell:
    """A parameter. Early versions wrote its bytes, as they were sent."""
    kind, value = integer(entry.get("type"), f"{key}.type", Type.VAR_STRING) & 0xFF, entry.get("value")
    if isinstance(value, list):
        data = _octets(value, key)
        if kind in _BINARY_SIZES and len(data) == _BINARY_SIZES[Type(kind)]:
            return int.from_bytes(data, "little", signed=not entry.get("unsigned"))
        if kind == Type.DOUBLE and len(data) == 8:
            return float(struct.unpack("<d", data)[0])
        if kind == Type.FLOAT and len(data) == 4:
            return float(struct.unpack("<f", data)[0])
        value = data
    cell = _typed(kind, value, key)
    return _mended(cell) if isinstance(cell, float) and kind == Type.DOUBLE else cell


def _typed(kind: int, value: Any, key: str) -> Cell:
    """A value as rr has it, by its type."""
    match value:
        case None:
            return None
        case bool():
            value = int(value)
        case bytes():
            if kind == Type.BIT:
                return int.from_bytes(value, "big")
            value = _as_text(value)
        case int() | float() | str():
            pass
        case _:
            raise DocumentError(f"{key}: expected a value, found {value!r}")
    try:
        if kind in _WHOLE:
            return int(value)
        if kind in _APPROXIMATE:
            return float(value)
    except (ValueError, OverflowError) as error:
        raise DocumentError(f"{key}: {value!r} is no number") from error
    return value if isinstance(value, str | bytes) or kind == Type.BIT else string(value, key)


def _mended(value: float) -> float:
    """Keploy 2.20 wrote the bits of a DOUBLE as if they were a whole number: 1200.0 became 4.652992471259677e+18. Such
    a number is mended if its bits are those of one between 0.00001 and a million billions, or of its negative: a
    program says that far more often than four to five times 10**18. The last of the bits were lost; of all numbers
    that would have been written so, the one with the fewest digits is meant."""
    bits = int(value) if abs(value) < 2**64 else 0
    if not 0x3EE0_0000_0000_0000 <= bits & ~(1 << 63) <= 0x4310_0000_0000_0000 or value < 0:
        return value
    near: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    for digits in range(1, 17):
        shorter = float(f"{near:.{digits}g}")
        if float(struct.unpack("<Q", struct.pack("<d", shorter))[0]) == value:
            return shorter
    return near


def _as_text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _octets(value: Any, key: str) -> bytes:
    """Bytes, which Keploy writes as a list of numbers."""
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return documents.base64_bytes(value, key)
    try:
        return bytes(sequence(value, key))
    except (TypeError, ValueError) as error:
        raise DocumentError(f"{key}: expected a list of bytes") from error
