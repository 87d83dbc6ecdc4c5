"""What must be equal in two MySQL requests: the route as it stands, and values in places; and the difference in words.

The route is where a statement runs and what it asks for: server, database, the settings that change its meaning, and
its skeleton. The values are its literals and its bound parameters, which are the same thing: a driver that inlines and
one that prepares are answered from the same recording.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import UUID

from protocols.furniture import Difference, Value
from protocols.mysql import explain
from protocols.mysql.messages import (
    Cell,
    Err,
    MysqlRequest,
    MysqlResponse,
    Ok,
    Operation,
    Prepared,
    Result,
    ResultSet,
)
from protocols.mysql.statement import Kind, Slot, Statement, bind, parse_in
from protocols.mysql.tokens import canonical, digest
from testset.model import Exchange, Server

_STATEMENTS = frozenset({Operation.QUERY, Operation.EXECUTE})
_WITH_SQL = _STATEMENTS | {Operation.PREPARE, Operation.FETCH}
_ENDS = frozenset({Kind.COMMIT, Kind.ROLLBACK})

_WIDEST = 100  # characters of a title
_SHOWN = 48  # characters of one value in it
_SHORT = 64  # bytes that are shown as they are; more are a digest
_MOST = 100_000  # values of one response
_OPEN = "(bound when executed)"  # what stands for a placeholder of a PREPARE


def _statement(request: MysqlRequest) -> Statement:
    return parse_in(request.query, dict(request.session.settings).get("sql_mode", ""))


def _slots(request: MysqlRequest) -> tuple[Slot, ...]:
    return bind(_statement(request), request.parameters)


# -- the route --------------------------------------------------------------------------------------------------


def route(server: Server, request: MysqlRequest) -> Hashable:
    """Destination and operation. QUERY and EXECUTE are one operation: the driver chooses, not the app."""
    place = ("mysql", server.host, server.port)
    session = request.session
    match request.operation:
        case Operation.GREETING:
            return (*place, "GREETING")
        case Operation.CONNECT:
            return (*place, "CONNECT", request.user, session.database)
        case Operation.INIT_DB:
            return (*place, "INIT_DB", request.query)
        case operation if operation in _WITH_SQL:
            statement = _statement(request)
            name = "STATEMENT" if operation in _STATEMENTS else operation.name
            skeleton = statement.verb if request.transaction and statement.kind in _ENDS else statement.skeleton
            return (*place, name, session.database, session.settings, skeleton)
        case operation:
            return (*place, operation.name, session.database, session.settings, request.query)


def is_effect(request: MysqlRequest) -> bool:
    """A statement that changes something. The end of a transaction does, when something was written in it."""
    if request.operation not in _STATEMENTS:
        return False
    statement = _statement(request)
    return statement.is_effect or (bool(request.transaction) and statement.kind in _ENDS)


def subjects(server: Server, request: MysqlRequest) -> Sequence[Hashable]:
    """The tables of a statement, each with its database."""
    if request.operation not in _STATEMENTS:
        return ()
    database = request.session.database
    named = (table if "." in table else f"{database}.{table}" for table in _statement(request).tables)
    return [("mysql", server.host, server.port, name.lower()) for name in named]


def opens(exchange: Exchange[MysqlRequest, MysqlResponse]) -> bool | None:
    """See `Room.opens`: a login shows what the server says first, and a refusal that it says no more."""
    response = exchange.response
    if exchange.request.operation is not Operation.CONNECT or response is None:
        return None
    if response.greeting is not None:
        return True
    return False if response.results and isinstance(response.results[0], Err) and not exchange.request.user else None


def standing(exchange: Exchange[MysqlRequest, MysqlResponse]) -> Hashable | None:
    """Logins, prepared statements, and what a driver asks of the server about the server: they belong to no test."""
    request, response = exchange.request, exchange.response
    if response is None or not response.results or any(_failed(result) for result in response.results):
        return None
    match request.operation:
        case Operation.CONNECT:
            kept: Hashable = response.greeting is not None
        case Operation.PREPARE if isinstance(response.results[0], Prepared):
            kept = request.query
        case operation if operation in _STATEMENTS and _statement(request).standing:
            kept = (request.query, request.parameters, response)
        case _:
            return None
    return (route(exchange.server, request), kept)


def _failed(result: Result) -> bool:
    return isinstance(result, Err) or (
        isinstance(result, ResultSet) and (result.error is not None or not result.complete)
    )


# -- titles -----------------------------------------------------------------------------------------------------


def title(server: Server, request: MysqlRequest) -> str:
    """The request in one line, its values in it."""
    match request.operation:
        case Operation.GREETING:
            return f"connect to {server}"
        case Operation.CONNECT:
            database = f" (database {request.session.database})" if request.session.database else ""
            return f"log in to {server} as {request.user or 'nobody'}{database}"
        case Operation.INIT_DB:
            return f"USE {request.query}"
        case Operation.FIELD_LIST:
            return f"SHOW FIELDS FROM {request.query}"
        case Operation.PREPARE:
            return _squeezed(f"PREPARE {_written(request)}")
        case Operation.FETCH:
            return _squeezed(f"FETCH {_written(request)}")
        case Operation.OTHER:
            return _squeezed(request.query)
    if request.transaction:
        return _squeezed(f"{_statement(request).verb} ({', '.join(request.transaction)})")
    return _squeezed(_written(request))


def _written(request: MysqlRequest) -> str:
    statement = _statement(request)
    texts = list(statement.parts)
    slots = islice(bind(statement, request.parameters), len(texts) - 1)
    literals = ["?" if slot.placeholder and request.parameters is None else _literal(slot.value) for slot in slots]
    return "".join([text + literal for text, literal in zip(texts, [*literals, ""], strict=True)])


def _literal(value: Cell) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int | float):
        return str(value)
    text = f"'{value}'" if isinstance(value, str) else _text_of_bytes(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}…{text[-_SHOWN // 2 + 1 :]}"


def _squeezed(text: str) -> str:
    text = " ".join(text[: 8 * _WIDEST].split())
    text = text.encode("utf-8", "replace").decode() if not text.isascii() else text
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 2]} …"


# -- values -----------------------------------------------------------------------------------------------------


def values(request: MysqlRequest) -> list[Value]:
    """Literals and bound parameters, called after their columns; of the end of a transaction, what was written."""
    if request.transaction:
        return [Value(f"write[{index}]", write) for index, write in enumerate(request.transaction)]
    if request.operation not in _WITH_SQL:
        return []
    if request.parameters is None:
        return [Value(slot.name, _OPEN if slot.placeholder else _plain(slot.value)) for slot in _slots(request)]
    return [Value(slot.name, _plain(slot.value)) for slot in _slots(request)]


def response_values(response: MysqlResponse) -> list[Value]:
    """What the server tells: cells, new ids, and the words of an error."""
    return list(islice(_told(response), _MOST))


def _told(response: MysqlResponse) -> Iterator[Value]:
    for turn, result in enumerate(response.results):
        prefix = f"results[{turn}]." if turn else ""
        if isinstance(result, Ok):
            if result.last_insert_id:
                yield Value(f"{prefix}last_insert_id", result.last_insert_id)
        elif isinstance(result, Err):
            yield Value(f"{prefix}error", result.message)
        elif isinstance(result, ResultSet):
            names = _column_names(result)
            for index, row in enumerate(result.rows):
                for name, cell in zip(names, row, strict=False):
                    yield Value(f"{prefix}rows[{index}].{name}", _plain(canonical(cell)))
            if result.error is not None:
                yield Value(f"{prefix}error", result.error.message)


def _column_names(result: ResultSet) -> list[str]:
    """The columns' names; of two with the same name the second is `id[1]`."""
    seen: dict[str, int] = {}
    names = []
    for column in result.columns:
        turn = seen.get(column.name, 0)
        seen[column.name] = turn + 1
        names.append(f"{column.name}[{turn}]" if turn else column.name)
    return names


def _plain(value: Cell) -> str | int | float | None:
    return _text_of_bytes(value) if isinstance(value, bytes) else value


def _text_of_bytes(data: bytes) -> str:
    """Bytes that are no text as a text: a UUID as such, because elsewhere the app writes it so."""
    if len(data) > _SHORT:
        return digest(data)
    if len(data) == 16 and 1 <= data[6] >> 4 <= 8 and data[8] >> 6 == 2:
        return f"uuid:{UUID(bytes=data)}"
    return f"hex:{data.hex()}"


# -- bindings ---------------------------------------------------------------------------------------------------


def rebind(response: MysqlResponse, mapping: Mapping[str, str]) -> MysqlResponse:
    """This response with recorded values replaced by actual ones, wherever they stand as values of their own."""
    pairs = {recorded: actual for recorded, actual in mapping.items() if recorded and recorded != actual}
    if not pairs:
        return response
    pattern = re.compile(
        "|".join(
            (r"(?<![0-9A-Za-z])" if key[0].isalnum() else "")
            + re.escape(key)
            + (r"(?![0-9A-Za-z])" if key[-1].isalnum() else "")
            for key in sorted(pairs, key=len, reverse=True)
        )
    )

    def renamed(text: str) -> str:
        return pattern.sub(lambda found: pairs[found[0]], text)

    results = tuple(_rebound(result, pairs, renamed) for result in response.results)
    return response if results == response.results else replace(response, results=results)


def _rebound(result: Result, pairs: Mapping[str, str], renamed: Callable[[str], str]) -> Result:
    def cell(value: Cell) -> Cell:
        if isinstance(value, str):
            return renamed(value)
        if isinstance(value, int):
            return _number(pairs.get(str(value)), value)
        if isinstance(value, bytes):
            return _bytes_renamed(value, renamed)
        return value

    match result:
        case Ok():
            new = _number(pairs.get(str(result.last_insert_id)), result.last_insert_id)
            return replace(result, last_insert_id=new) if 0 <= new < 1 << 64 else result
        case Err():
            return replace(result, message=renamed(result.message))
        case ResultSet():
            error = result.error
            return replace(
                result,
                rows=tuple([tuple([cell(value) for value in row]) for row in result.rows]),
                error=replace(error, message=renamed(error.message)) if error is not None else None,
            )
    return result


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and re.fullmatch(r"-?[0-9]{1,20}", text) else otherwise


def _bytes_renamed(data: bytes, renamed: Callable[[str], str]) -> bytes:
    """Bytes are renamed as the text that stands for them; what is no text of bytes any more stays as it was."""
    try:
        return renamed(data.decode()).encode()
    except UnicodeError:
        pass
    text = _text_of_bytes(data)
    new = renamed(text)
    sort, _, digits = new.partition(":")
    if new == text or sort not in ("uuid", "hex"):
        return data
    try:
        return bytes.fromhex(digits.replace("-", ""))
    except ValueError:
        return data


# -- differences ------------------------------------------------------------------------------------------------


def difference(
    server: Server, recorded: MysqlRequest, actual_server: Server, actual: MysqlRequest
) -> Difference | None:
    """The first place where two requests differ, the most telling first."""
    return next(_differences(server, recorded, actual_server, actual), None)


def _differences(server: Server, recorded: MysqlRequest, there: Server, actual: MysqlRequest) -> Iterator[Difference]:
    if server != there:
        yield Difference("server", str(server), str(there))
    before, after = _command(recorded), _command(actual)
    if before != after:
        yield Difference("command", before, after)
    if recorded.user != actual.user:
        yield Difference("user", recorded.user or "nobody", actual.user or "nobody")
    if recorded.session.database != actual.session.database:
        yield Difference("database", recorded.session.database or "none", actual.session.database or "none")
    yield from _of_settings(recorded.session.settings, actual.session.settings)
    if recorded.operation not in _WITH_SQL:
        if recorded.query != actual.query:
            yield Difference("name", recorded.query, actual.query)
        return
    one, other = _statement(recorded), _statement(actual)
    same = one.verb == other.verb and one.kind in _ENDS and recorded.transaction and actual.transaction
    if one.skeleton != other.skeleton and not same:
        yield explain.between(one, other)
    yield from _of_values(values(recorded), values(actual))


def _command(request: MysqlRequest) -> str:
    return "a statement" if request.operation in _STATEMENTS else request.operation.value


def _of_settings(recorded: Sequence[tuple[str, str]], actual: Sequence[tuple[str, str]]) -> Iterator[Difference]:
    before, after = dict(recorded), dict(actual)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Difference(name, before.get(name, "not set"), after.get(name, "not set"))


def _of_values(recorded: Sequence[Value], actual: Sequence[Value]) -> Iterator[Difference]:
    before, after = {one.place: one.value for one in recorded}, {one.place: one.value for one in actual}
    for place in (*before, *(place for place in after if place not in before)):
        if place not in after:
            yield Difference(place, _shown(before[place]), "not there")
        elif place not in before:
            yield Difference(place, "not there", _shown(after[place]))
        elif before[place] != after[place]:
            yield Difference(place, _shown(before[place]), _shown(after[place]))


def _shown(value: Any) -> str:
    text = "NULL" if value is None else repr(value)
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]} … {text[-_SHOWN:]}"
