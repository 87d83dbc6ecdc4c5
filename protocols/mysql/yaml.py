"""A MySQL exchange to and from its document: one command and what came of it, as a person would write them down.

Nothing here is a length, a sequence, a connection's or a statement's id: a row or the SQL can be edited by itself.
Left out is what follows from the rest (`columns` says what of a column): an OK with nothing to tell, the flag that more
results follow, the flag AUTOCOMMIT; where that is off, the flags say NO_AUTOCOMMIT. In all else `from_spec(to_spec(x))`
is `x`, but for its id, its remark, the nanoseconds of its times, the layout of its SQL, and the flag by which a server
says that it took long. Keploy's documents are read as well (`keploy`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from protocols import documents
from protocols.documents import integer, mapping, sequence, string
from protocols.mysql import changes, collations, columns, keploy
from protocols.mysql.columns import flag_bits, flag_names, within
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
    Raw,
    Result,
    ResultSet,
    Session,
)
from protocols.mysql.terms import Status
from protocols.mysql.texts import SEALED, octets, said, shown, sql_shown
from testset.errors import DocumentError
from testset.model import Ending, Exchange, ExchangeId

MysqlExchange = Exchange[MysqlRequest, MysqlResponse]
KINDS = ("MySQL",)

_TYPES = {
    Operation.CONNECT: "config",
    Operation.PREPARE: "connection",
}  # how often a mock may answer, as Keploy says it
_OTHER_TYPE = "mocks"
_SQL = frozenset({Operation.QUERY, Operation.PREPARE, Operation.EXECUTE, Operation.FETCH})
_SUBJECTS = {Operation.INIT_DB: "database", Operation.FIELD_LIST: "table"}  # what is named instead of SQL
_COMMAND = re.compile(r"COM_[A-Z_]+")
_NO_AUTOCOMMIT = "NO_AUTOCOMMIT"


# -- writing ----------------------------------------------------------------------------------------------------------


def to_spec(exchange: MysqlExchange) -> dict[str, Any]:
    request, response = exchange.request, exchange.response
    session = request.session
    spec: dict[str, Any] = {"metadata": _metadata(exchange)}
    if session.settings:
        spec["session"] = {name: shown(value) for name, value in session.settings}
    spec["requests"] = [{"message": _request_spec(request)}]
    if response is not None:
        messages = [] if response.greeting is None else [_greeting_spec(response.greeting)]
        last = len(response.results) - 1
        for turn, result in enumerate(response.results):
            messages.append(_result_spec(result, session.database, more=turn < last))
        spec["responses"] = [{"message": message} for message in messages]
    if exchange.ending is not Ending.ANSWERED:
        spec["ending"] = str(exchange.ending)
    spec["reqTimestampMock"] = documents.time_text(exchange.started_ns)
    spec["resTimestampMock"] = documents.time_text(exchange.ended_ns)
    return spec


def _metadata(exchange: MysqlExchange) -> dict[str, Any]:
    request = exchange.request
    metadata: dict[str, Any] = {
        "type": _TYPES.get(request.operation, _OTHER_TYPE),
        "requestOperation": request.query if _is_named_by_query(request) else str(request.operation),
    }
    if exchange.response is not None and exchange.response.results:
        metadata["responseOperation"] = _name(exchange.response.results[-1], request.operation)
    metadata["server"] = str(exchange.server)
    if request.session.database:
        metadata["database"] = shown(request.session.database)
    return metadata


def _is_named_by_query(request: MysqlRequest) -> bool:
    """Of another command, `query` is its name; one that has no name of its own is COM_OTHER."""
    query = request.query
    return request.operation is Operation.OTHER and bool(_COMMAND.fullmatch(query)) and query not in set(Operation)


def _name(result: Result, operation: Operation) -> str:
    match result:
        case Ok():
            return "OK"
        case Err():
            return "ERR"
        case Prepared():
            return "COM_STMT_PREPARE_OK"
        case ResultSet():
            return "BinaryProtocolResultSet" if operation is Operation.EXECUTE else "TextResultSet"
        case Raw():
            return "packets"


def _request_spec(request: MysqlRequest) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    operation = request.operation
    if operation is Operation.CONNECT:
        spec["user"] = shown(request.user)
        if request.plugin:
            spec["plugin"] = shown(request.plugin)
        if request.tls:
            spec["tls"] = True
    if operation in _SQL:
        spec["query"] = sql_shown(request.query, dict(request.session.settings).get("sql_mode", ""))
    elif request.query and not _is_named_by_query(request):
        spec[_SUBJECTS.get(operation, "query")] = shown(request.query)
    if request.parameters is not None and (request.parameters or operation is not Operation.EXECUTE):
        spec["parameters"] = _cells(request.parameters)
    if request.transaction:
        spec["transaction"] = [shown(title) for title in request.transaction]
    return spec


def _greeting_spec(greeting: Greeting) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "server_version": shown(greeting.server_version),
        "capabilities": f"0x{greeting.capabilities:08x}",
    }
    if greeting.extended_capabilities:
        spec["extended_capabilities"] = f"0x{greeting.extended_capabilities:08x}"
    spec["charset"] = collations.label(greeting.charset)
    _put_status(spec, greeting.status)
    if greeting.plugin:
        spec["plugin"] = shown(greeting.plugin)
    return spec


def _result_spec(result: Result, database: str, *, more: bool) -> dict[str, Any]:
    implied = int(Status.MORE_RESULTS_EXISTS) if more else 0
    spec: dict[str, Any] = {}
    match result:
        case Ok():
            spec["affected_rows"] = result.affected_rows
            if result.last_insert_id:
                spec["last_insert_id"] = result.last_insert_id
            if result.info:
                spec["info"] = shown(result.info)
            _put_end(spec, result.status & ~(implied | _tracked(result.changes)), result.warnings)
            if result.changes:
                spec["changes"] = changes.to_spec(result.changes)
        case Err():
            spec = _error_spec(result)
        case Prepared():
            charset = columns.common_charset((*result.parameters, *result.columns))
            _put_charset(spec, charset)
            spec["parameters"] = columns.to_specs(result.parameters, database, charset, name="?")
            if result.columns:
                spec["columns"] = columns.to_specs(result.columns, database, charset)
            if result.warnings:
                spec["warnings"] = result.warnings
        case ResultSet():
            charset = columns.common_charset(result.columns)
            _put_charset(spec, charset)
            spec["columns"] = columns.to_specs(result.columns, database, charset)
            spec["rows"] = [_cells(row) for row in result.rows]
            _put_end(spec, result.status & ~implied, result.warnings)
            if result.error is not None:
                spec["error"] = _error_spec(result.error)
            if not result.complete:
                spec["complete"] = False
        case Raw():
            spec["packets"] = list(result.packets)
    return spec


def _error_spec(error: Err) -> dict[str, Any]:
    return {"error_code": error.code, "sql_state": shown(error.sqlstate), "error_message": shown(error.message)}


def _put_charset(spec: dict[str, Any], charset: int) -> None:
    if charset != collations.UTF8MB4:
        spec["charset"] = collations.label(charset)


def _put_end(spec: dict[str, Any], status: int, warnings: int) -> None:
    if warnings:
        spec["warnings"] = warnings
    _put_status(spec, status)


def _put_status(spec: dict[str, Any], status: int) -> None:
    names = flag_names(Status, status & ~int(Status.AUTOCOMMIT | Status.QUERY_WAS_SLOW))
    if not status & Status.AUTOCOMMIT:
        names.append(_NO_AUTOCOMMIT)
    if names:
        spec["status"] = names


def _tracked(said_changes: bytes) -> int:
    return int(Status.SESSION_STATE_CHANGED) if said_changes else 0


def _cells(cells: tuple[Cell, ...]) -> list[Any]:
    return [shown(cell) if isinstance(cell, str) else cell for cell in cells]


# -- reading ----------------------------------------------------------------------------------------------------------


def from_spec(kind: str, spec: Mapping[str, Any]) -> MysqlExchange:
    if kind not in KINDS:
        raise DocumentError(f"kind {kind!r} is not MySQL")
    if keploy.is_keploys(spec):
        return keploy.from_spec(spec)
    metadata = mapping(spec.get("metadata"), "metadata")
    request = _request(metadata, spec)
    ending = documents.ending(spec.get("ending"))
    response = None
    if spec.get("responses") is not None:
        response = _response(sequence(spec["responses"], "responses"), request)
    elif ending is Ending.ANSWERED:
        raise DocumentError("responses: missing, and no ending says why")
    started = documents.time_ns(spec.get("reqTimestampMock"), "reqTimestampMock")
    ended = documents.time_ns(spec.get("resTimestampMock"), "resTimestampMock")
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="mysql",
        inbound=False,
        server=documents.server(metadata.get("server"), "metadata.server"),
        request=request,
        response=response,
        ending=ending,
        started_ns=started,
        ended_ns=max(started, ended),
    )


def _request(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> MysqlRequest:
    name = string(metadata.get("requestOperation"), "metadata.requestOperation")
    if name in set(Operation):
        operation, query = Operation(name), ""
    elif _COMMAND.fullmatch(name):
        operation, query = Operation.OTHER, name
    else:
        raise DocumentError(f"metadata.requestOperation: {name!r} is no command of MySQL")
    requests = sequence(spec.get("requests"), "requests")
    if len(requests) != 1:
        raise DocumentError(f"requests: expected one, found {len(requests)}")
    key = "requests[0].message"
    message = mapping(mapping(requests[0], "requests[0]").get("message"), key)
    subject = _SUBJECTS.get(operation, "query")
    settings = mapping(spec.get("session"), "session")
    parameters: tuple[Cell, ...] | None = None
    if message.get("parameters") is not None or operation is Operation.EXECUTE:
        parameters = _row(sequence(message.get("parameters"), f"{key}.parameters"), f"{key}.parameters")
    return MysqlRequest(
        operation=operation,
        query=said(message.get(subject), f"{key}.{subject}", None if operation in _SQL else query),
        parameters=parameters,
        session=Session(
            database=said(metadata.get("database"), "metadata.database", ""),
            settings=tuple(sorted((str(name), said(value, f"session.{name}")) for name, value in settings.items())),
        ),
        user=said(message.get("user"), f"{key}.user", ""),
        plugin=said(message.get("plugin"), f"{key}.plugin", ""),
        tls=bool(message.get("tls", False)),
        transaction=tuple(
            said(title, f"{key}.transaction") for title in sequence(message.get("transaction"), f"{key}.transaction")
        ),
    )


def _response(responses: list[Any], request: MysqlRequest) -> MysqlResponse:
    greeting: Greeting | None = None
    results: list[Result] = []
    last = len(responses) - 1
    for turn, item in enumerate(responses):
        key = f"responses[{turn}].message"
        message = mapping(mapping(item, f"responses[{turn}]").get("message"), key)
        if turn == 0 and request.operation is Operation.CONNECT and "server_version" in message:
            greeting = _greeting(message, key)
        else:
            results.append(_result(message, key, request, more=turn < last))
    return MysqlResponse(greeting=greeting, results=tuple(results))


def _greeting(spec: Mapping[str, Any], key: str) -> Greeting:
    return Greeting(
        server_version=said(spec.get("server_version"), f"{key}.server_version"),
        capabilities=_bits(spec.get("capabilities"), f"{key}.capabilities"),
        extended_capabilities=_bits(spec.get("extended_capabilities", 0), f"{key}.extended_capabilities"),
        charset=collations.number(spec.get("charset", collations.UTF8MB4), f"{key}.charset"),
        status=_status(spec, key),
        plugin=said(spec.get("plugin"), f"{key}.plugin", ""),
    )


def _bits(value: Any, key: str) -> int:
    """A number, or `'0x…'`."""
    try:
        bits = int(value, 16) if isinstance(value, str) else integer(value, key)
    except ValueError:
        raise DocumentError(f"{key}: expected a hexadecimal number, found {value!r}") from None
    return within(bits, key, 0, 0xFFFFFFFF)


def _result(spec: Mapping[str, Any], key: str, request: MysqlRequest, *, more: bool) -> Result:
    implied = int(Status.MORE_RESULTS_EXISTS) if more else 0
    if "error_code" in spec:
        return _error(spec, key)
    if "packets" in spec:
        packets = sequence(spec["packets"], f"{key}.packets")
        return Raw(packets=tuple(octets(item, f"{key}.packets[{turn}]") for turn, item in enumerate(packets)))
    charset = collations.number(spec.get("charset", collations.UTF8MB4), f"{key}.charset")
    database = request.session.database
    warnings = within(spec.get("warnings"), f"{key}.warnings", 0, 0xFFFF)
    if request.operation is Operation.PREPARE:
        return Prepared(
            parameters=columns.from_specs(spec.get("parameters"), f"{key}.parameters", database, charset, name="?"),
            columns=columns.from_specs(spec.get("columns"), f"{key}.columns", database, charset),
            warnings=warnings,
        )
    if "columns" in spec:
        described = columns.from_specs(spec["columns"], f"{key}.columns", database, charset)
        return ResultSet(
            columns=described,
            rows=_rows(sequence(spec.get("rows"), f"{key}.rows"), described, f"{key}.rows"),
            status=_status(spec, key) | implied,
            warnings=warnings,
            error=_error(mapping(spec["error"], f"{key}.error"), f"{key}.error") if spec.get("error") else None,
            complete=bool(spec.get("complete", True)),
        )
    if "rows" in spec:
        raise DocumentError(f"{key}.rows: there are no columns that say what they are")
    tracked = changes.from_spec(spec["changes"], f"{key}.changes") if spec.get("changes") else b""
    return Ok(
        affected_rows=within(spec.get("affected_rows"), f"{key}.affected_rows", 0, 2**64 - 1),
        last_insert_id=within(spec.get("last_insert_id"), f"{key}.last_insert_id", 0, 2**64 - 1),
        status=_status(spec, key) | implied | _tracked(tracked),
        warnings=warnings,
        info=said(spec.get("info"), f"{key}.info", ""),
        changes=tracked,
    )


def _error(spec: Mapping[str, Any], key: str) -> Err:
    return Err(
        code=within(spec.get("error_code"), f"{key}.error_code", None, 0xFFFF),
        sqlstate=said(spec.get("sql_state"), f"{key}.sql_state", "HY000"),
        message=said(spec.get("error_message"), f"{key}.error_message", ""),
    )


def _status(spec: Mapping[str, Any], key: str) -> int:
    names = sequence(spec.get("status"), f"{key}.status")
    implied = 0 if _NO_AUTOCOMMIT in names else int(Status.AUTOCOMMIT)
    return implied | flag_bits(Status, [name for name in names if name != _NO_AUTOCOMMIT], f"{key}.status")


def _rows(rows: list[Any], described: tuple[Column, ...], key: str) -> tuple[tuple[Cell, ...], ...]:
    found = []
    for turn, item in enumerate(rows):
        where = f"{key}[{turn}]"
        row = _row(sequence(item, where), where)
        if len(row) != len(described):
            raise DocumentError(f"{where}: {len(row)} values for {len(described)} columns")
        found.append(row)
    return tuple(found)


_PLAIN = frozenset({str, int, float, bytes, type(None)})


def _row(values: list[Any], key: str) -> tuple[Cell, ...]:
    if _PLAIN.issuperset(map(type, values)):
        return tuple(values)
    return tuple(_cell(value, f"{key}[{turn}]") for turn, value in enumerate(values))


def _cell(value: Any, key: str) -> Cell:
    match value:
        case bool():
            return int(value)
        case None | int() | float() | str() | bytes():
            return value
        case {"base64": str(), **rest} if not rest:
            return octets(value, key)
        case {"number": str(text), **rest} if not rest:
            return text if text.startswith(SEALED) else _number(text, key)
    raise DocumentError(f"{key}: expected a value, found {value!r}")


def _number(text: str, key: str) -> int | float:
    """A number that was sealed as a text."""
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise DocumentError(f"{key}: not a number: {text!r}") from None
