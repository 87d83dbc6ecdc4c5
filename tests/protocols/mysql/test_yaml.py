"""Documents of MySQL: how they read, and that they come back."""

from __future__ import annotations

import string
import textwrap
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from protocols.mysql.statement import bind, parse
from protocols.mysql.terms import ColumnFlag, Status, Type
from protocols.mysql.yaml import MysqlExchange, from_spec, to_spec
from testset import text
from testset.emit import dump
from testset.errors import DocumentError
from testset.model import Ending, Exchange, ExchangeId, Server

START = 1_756_985_448_753_000_000  # 2025-09-04T11:30:48.753Z
SHOP = Session(database="shop")
ON, OFF = Status.AUTOCOMMIT, Status(0)


def exchange(
    request: MysqlRequest | str,
    *results: Result,
    greeting: Greeting | None = None,
    ending: Ending = Ending.ANSWERED,
    answered: bool = True,
) -> MysqlExchange:
    if isinstance(request, str):
        request = MysqlRequest(operation=Operation.QUERY, query=request, session=SHOP)
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="mysql",
        inbound=False,
        server=Server("mysql-orders", 3306),
        request=request,
        response=MysqlResponse(results=results, greeting=greeting) if answered else None,
        ending=ending,
        started_ns=START,
        ended_ns=START + 1_500_000,
    )


def written(exchange: MysqlExchange) -> str:
    return dump(to_spec(exchange))


def read(document: str) -> MysqlExchange:
    return from_spec("MySQL", text.load(textwrap.dedent(document)))


def again(exchange: MysqlExchange) -> MysqlExchange:
    return read(written(exchange))


def column(name: str, kind: Type, table: str = "items", **others: Any) -> Column:
    """A column as a server of 2025 describes it."""
    text_like = kind in (Type.VAR_STRING, Type.STRING, Type.BLOB)
    of_table = {"schema": "shop", "table": table, "org_table": table, "org_name": name} if table else {}
    return Column(**{"name": name, "type": int(kind), "charset": 255 if text_like else 63, **of_table, **others})


ID = column("product_id", Type.VAR_STRING, length=144, flags=ColumnFlag.NOT_NULL)
PRICE = column("price", Type.NEWDECIMAL, length=12, decimals=2)


# -- how they read ----------------------------------------------------------------------------------------------------


def test_a_select_is_one_column_a_line_and_one_row_a_line() -> None:
    sql = """
        SELECT product_id, price
          FROM items
         WHERE order_id = '44b0885e-e6e7-4e27-8ffe-97d87791b0b1'
    """
    rows = (("11111111-1111-4111-8111-111111111111", "1200.00"), ("22222222-2222-4222-8222-222222222222", None))
    given_ = exchange(sql, ResultSet(columns=(ID, PRICE), rows=rows))
    metadata, _, rest = written(given_).partition("\n")
    assert metadata == (
        "metadata: {type: mocks, requestOperation: COM_QUERY, responseOperation: TextResultSet, "
        "server: 'mysql-orders:3306', database: shop}"
    )
    assert rest == textwrap.dedent("""\
        requests:
          - message:
              query: |-
                SELECT product_id, price
                  FROM items
                 WHERE order_id = '44b0885e-e6e7-4e27-8ffe-97d87791b0b1'
        responses:
          - message:
              columns:
                - {name: product_id, type: VAR_STRING, length: 144, flags: [NOT_NULL], table: items}
                - {name: price, type: NEWDECIMAL, length: 12, decimals: 2, table: items}
              rows:
                - [11111111-1111-4111-8111-111111111111, '1200.00']
                - [22222222-2222-4222-8222-222222222222, null]
        reqTimestampMock: '2025-09-04T11:30:48.753Z'
        resTimestampMock: '2025-09-04T11:30:48.7545Z'
        """)
    assert again(given_).response == given_.response


def test_what_is_usual_is_left_out_and_what_is_not_is_named() -> None:
    columns = (
        column("amount", Type.DOUBLE, length=22, decimals=31),
        column("total", Type.VAR_STRING, table="", length=8, decimals=31),
        column("note", Type.BLOB, length=65535, flags=ColumnFlag.BLOB, org_name="remark"),
        column("scan", Type.BLOB, length=65535, flags=ColumnFlag.BLOB | ColumnFlag.BINARY, charset=63),
        column("uuid", Type.STRING, length=144, flags=ColumnFlag.BINARY),
        column("other", Type.LONG, table="o", schema="stock", org_table="orders", length=11, flags=0x8000),
        column("place", Type.GEOMETRY, length=4),
        replace(column("new", Type.LONG), type=77),
    )
    given_ = exchange("SELECT 1", ResultSet(columns=columns, rows=(), status=ON | Status.IN_TRANS, warnings=1))
    lines = """
        - {name: amount, type: DOUBLE, length: 22, table: items}
        - {name: total, type: VAR_STRING, length: 8}
        - {name: note, type: BLOB, length: 65535, flags: [BLOB], table: items, org_name: remark}
        - {name: scan, type: BLOB, length: 65535, flags: [BLOB, BINARY], table: items}
        - {name: uuid, type: STRING, length: 144, flags: [BINARY], charset: utf8mb4_0900_ai_ci, table: items}
        - {name: other, type: LONG, length: 11, flags: [NUM], table: o, schema: stock, org_table: orders}
        - {name: place, type: GEOMETRY, length: 4, table: items}
        - {name: new, type: 77, table: items}
      rows: []
      warnings: 1
      status: [IN_TRANS]
"""
    assert lines in written(given_)
    assert again(given_) == given_


def test_a_column_is_one_line_also_with_all_that_can_be_said_of_it() -> None:
    flags = ColumnFlag.NOT_NULL | ColumnFlag.UNIQUE_KEY | ColumnFlag.AUTO_INCREMENT | ColumnFlag.NO_DEFAULT_VALUE
    long = column("order_number", Type.LONGLONG, "o", length=20, flags=flags, schema="stock", org_table="order_items")
    document = written(exchange("SELECT 1", ResultSet(columns=(long,), rows=())))
    (line,) = (line for line in document.split("\n") if "order_number" in line)
    assert line.endswith(
        "[NOT_NULL, UNIQUE_KEY, AUTO_INCREMENT, NO_DEFAULT_VALUE], table: o, schema: stock, org_table: order_items}"
    )


def test_the_character_set_of_an_answer_is_said_once() -> None:
    columns = (replace(ID, charset=45), PRICE, replace(ID, name="sku", org_name="sku", charset=45))
    given_ = exchange("SELECT 1", ResultSet(columns=columns, rows=()))
    assert written(given_).count("charset") == 1
    assert "  - message:\n      charset: utf8mb4_general_ci\n      columns:\n" in written(given_)
    assert again(given_) == given_


def test_writes_say_what_they_did_and_nothing_else() -> None:
    quiet = to_spec(exchange("DELETE FROM carts WHERE id = 1", Ok()))
    assert quiet["responses"] == [{"message": {"affected_rows": 0}}]
    loud = exchange(
        "UPDATE carts SET n = 2",
        Ok(affected_rows=2, last_insert_id=7, warnings=1, info="Rows matched: 2", status=Status.IN_TRANS),
    )
    assert to_spec(loud)["responses"] == [
        {
            "message": {
                "affected_rows": 2,
                "last_insert_id": 7,
                "info": "Rows matched: 2",
                "warnings": 1,
                "status": ["IN_TRANS", "NO_AUTOCOMMIT"],
            }
        }
    ]
    assert again(loud) == loud


def test_an_error_is_code_state_and_text() -> None:
    given_ = exchange("INSERT INTO t VALUES (1)", Err(code=1062, sqlstate="23000", message="Duplicate entry '1'"))
    spec = to_spec(given_)
    assert spec["metadata"]["responseOperation"] == "ERR"
    assert spec["responses"] == [
        {"message": {"error_code": 1062, "sql_state": "23000", "error_message": "Duplicate entry '1'"}}
    ]
    assert again(given_) == given_


def test_a_login_keeps_what_a_driver_decides_by_and_no_secret() -> None:
    request = MysqlRequest(
        operation=Operation.CONNECT, user="order_user", plugin="caching_sha2_password", tls=True, session=SHOP
    )
    greeting = Greeting(server_version="9.7.4", capabilities=0xDFFFFFFF, plugin="caching_sha2_password")
    changed = b"\x01\x05\x04shop\x00\x0f\x0aautocommit\x03OFF"
    given_ = exchange(request, Ok(status=ON | Status.SESSION_STATE_CHANGED, changes=changed), greeting=greeting)
    metadata, _, rest = written(given_).partition("\n")
    assert metadata == (
        "metadata: {type: config, requestOperation: HandshakeV10, responseOperation: OK, "
        "server: 'mysql-orders:3306', database: shop}"
    )
    assert rest == textwrap.dedent("""\
        requests:
          - message:
              user: order_user
              plugin: caching_sha2_password
              tls: true
        responses:
          - message:
              server_version: '9.7.4'
              capabilities: '0xdfffffff'
              charset: utf8mb4_0900_ai_ci
              plugin: caching_sha2_password
          - message:
              affected_rows: 0
              changes:
                - {schema: shop}
                - {variable: autocommit, value: 'OFF'}
        reqTimestampMock: '2025-09-04T11:30:48.753Z'
        resTimestampMock: '2025-09-04T11:30:48.7545Z'
        """)
    assert again(given_) == given_


def test_a_server_that_refuses_at_once_says_an_error_and_no_greeting() -> None:
    request = MysqlRequest(operation=Operation.CONNECT)
    given_ = exchange(request, Err(code=1040, sqlstate="", message="Too many connections"))
    assert again(given_) == given_


def test_a_prepared_statement_is_its_sql_and_its_execution_has_the_values() -> None:
    sql = "INSERT INTO orders (id, total, made, raw) VALUES (?, ?, ?, ?)"
    mark = Column(name="?", type=Type.VAR_STRING, length=65532, charset=255, decimals=31)
    request = MysqlRequest(operation=Operation.PREPARE, query=sql, session=SHOP)
    prepared = exchange(request, Prepared(parameters=(mark,)))
    assert to_spec(prepared)["metadata"]["type"] == "connection"
    assert "      parameters:\n        - {type: VAR_STRING, length: 65532}\n" in written(prepared)
    assert again(prepared) == prepared
    values: tuple[Cell, ...] = ("44b0885e", 1200.0, "2025-09-04 11:30:48", b"\xff\x00")
    executed = exchange(
        MysqlRequest(operation=Operation.EXECUTE, query=sql, parameters=values, session=SHOP), Ok(affected_rows=1)
    )
    assert "parameters: [44b0885e, 1200.0, '2025-09-04 11:30:48', !!binary '/wA=']\n" in written(executed).replace(
        "'44b0885e'", "44b0885e"
    )
    assert again(executed) == executed


def test_the_end_of_a_transaction_says_what_was_written_in_it() -> None:
    request = MysqlRequest(
        operation=Operation.QUERY, query="COMMIT", session=SHOP, transaction=("INSERT orders", "INSERT items")
    )
    given_ = exchange(request, Ok())
    assert "transaction: [INSERT orders, INSERT items]\n" in written(given_)
    assert again(given_) == given_


def test_settings_that_count_are_named() -> None:
    session = Session(database="shop", settings=(("sql_mode", "'ANSI_QUOTES'"), ("time_zone", "'+02:00'")))
    request = MysqlRequest(operation=Operation.QUERY, query="SELECT NOW()", session=session)
    given_ = exchange(request, ResultSet(columns=(ID,), rows=()))
    assert "session:\n  sql_mode: \"'ANSI_QUOTES'\"\n  time_zone: \"'+02:00'\"\n" in written(given_)
    assert again(given_) == given_


def test_several_results_follow_each_other_without_saying_so() -> None:
    more = ON | Status.MORE_RESULTS_EXISTS
    given_ = exchange(
        "CALL report()",
        ResultSet(columns=(PRICE,), rows=(("1.00",),), status=more),
        Ok(status=more),
        Err(code=1317, sqlstate="70100", message="Query execution was interrupted"),
    )
    assert "status" not in written(given_)
    assert again(given_) == given_


def test_an_answer_that_was_not_complete() -> None:
    part = ResultSet(columns=(PRICE,), rows=(("1.00",),), complete=False)
    cut = exchange("SELECT price FROM t", part, ending=Ending.CUT_SHORT)
    assert to_spec(cut)["ending"] == "cut short"
    assert again(cut) == cut
    given_up = exchange(
        "SELECT price FROM t", replace(part, complete=True, error=Err(code=3024, sqlstate="HY000", message="too slow"))
    )
    assert again(given_up) == given_up
    silent = exchange("SELECT SLEEP(9)", answered=False, ending=Ending.RESET)
    assert "responses" not in to_spec(silent)
    assert again(silent) == silent


@pytest.mark.parametrize(
    ("request_", "operation", "message"),
    [
        (MysqlRequest(operation=Operation.OTHER, query="COM_PING"), "COM_PING", {}),
        (MysqlRequest(operation=Operation.OTHER, query="COM_QUERY"), "COM_OTHER", {"query": "COM_QUERY"}),
        (MysqlRequest(operation=Operation.INIT_DB, query="nowhere"), "COM_INIT_DB", {"database": "nowhere"}),
        (MysqlRequest(operation=Operation.FIELD_LIST, query="orders"), "COM_FIELD_LIST", {"table": "orders"}),
    ],
)
def test_other_commands_go_by_their_name(request_: MysqlRequest, operation: str, message: dict[str, str]) -> None:
    given_ = exchange(request_, Err(code=1049, sqlstate="42000", message="Unknown database"))
    spec = to_spec(given_)
    assert spec["metadata"]["requestOperation"] == operation
    assert spec["requests"] == [{"message": message}]
    assert again(given_) == given_


def test_packets_that_are_not_understood_come_back() -> None:
    request = MysqlRequest(operation=Operation.FETCH, query="SELECT id FROM t WHERE n > ?", parameters=(5,))
    given_ = exchange(request, Raw(packets=(b"\x00\x01\xff", b"")))
    assert "packets: [!!binary 'AAH/', !!binary '']\n" in written(given_)
    assert again(given_) == given_


def test_how_long_the_server_took_is_not_in_the_document() -> None:
    slow = exchange("SELECT 1", ResultSet(columns=(PRICE,), rows=(), status=ON | Status.QUERY_WAS_SLOW))
    assert written(slow) == written(exchange("SELECT 1", ResultSet(columns=(PRICE,), rows=())))


# -- SQL --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT 1", "SELECT 1"),
        ("  SELECT 1 \n", "SELECT 1"),
        ("\n    SELECT a,\n           b\n    FROM t  \n    ", "SELECT a,\n       b\nFROM t"),
        ("SELECT a\r\n   FROM t\r\n   WHERE b = 1", "SELECT a\nFROM t\nWHERE b = 1"),
        ("SELECT a -- what? \n  FROM t", "SELECT a -- what?\nFROM t"),
        ("SELECT 'a \n  b' \n  FROM t \n", "SELECT 'a \n  b'\n  FROM t"),
        ("SELECT `a \n b`\n FROM t", "SELECT `a \n b`\n FROM t"),
        ("SELECT 'open   ", "SELECT 'open   "),
    ],
)
def test_sql_is_laid_out_for_a_reader_and_says_the_same(sql: str, shown: str) -> None:
    found = again(exchange(sql, Ok())).request.query
    assert found == shown
    assert parse(found) == parse(sql)


def test_sql_with_bytes_or_megabytes_in_it_is_still_text() -> None:
    sql = "INSERT INTO scans (page, hash) VALUES (_binary'\udcff\udc80', '" + "x" * 2_000_000 + "')"
    found = again(exchange(sql, Ok())).request.query
    assert len(found) < 200
    assert "x'ff80'" in found
    assert parse(found) == parse(sql)


def test_sql_that_is_no_text_at_all_comes_back() -> None:
    given_ = exchange("SELECT \udcff\udcfe FROM t", Ok())
    assert "query: !!binary" in written(given_)
    assert again(given_) == given_


# -- editing, and what goes wrong -------------------------------------------------------------------------------------

DOCUMENT = """
    metadata: {requestOperation: COM_QUERY, server: /run/mysqld.sock, database: shop}
    requests:
      - message:
          query: SELECT product_id, price FROM items
    responses:
      - message:
          columns:
            - {name: product_id, type: VAR_STRING, length: 144, table: items}
            - {name: price, type: NEWDECIMAL, length: 12, decimals: 2, table: items}
          rows:
            - [abc, "1200.00"]
"""


def test_a_row_can_be_edited_by_itself() -> None:
    edited = read(DOCUMENT.replace('- [abc, "1200.00"]', '- [a longer one, "1.00"]\n            - [true, ~]'))
    assert edited.response is not None
    result = edited.response.results[0]
    assert isinstance(result, ResultSet)
    assert result.rows == (("a longer one", "1.00"), (1, None))
    assert result.columns[1] == replace(PRICE, flags=0)
    assert edited.server == Server("/run/mysqld.sock", 0)


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("[abc, ", "[", "responses[0].message.rows[0]: 1 values for 2 columns"),
        ("[abc, ", "[[abc], ", "responses[0].message.rows[0][0]: expected a value, found ['abc']"),
        ("- [abc", "- {a: b}\n            - [abc", "responses[0].message.rows[0]: expected a list"),
        ("VAR_STRING", "TEXT", "responses[0].message.columns[0].type: 'TEXT' is no type of a column"),
        ("length: 144", "flags: [NOTNULL]", "responses[0].message.columns[0].flags: 'NOTNULL' is none of NOT_NULL"),
        ("length: 144", "length: -1", "responses[0].message.columns[0].length: -1 is not within 0 and 4294967295"),
        ("length: 144", "charset: klingon", "responses[0].message.columns[0].charset: 'klingon' is no collation"),
        ("name: price", "nmae: price", "responses[0].message.columns[1].name: expected text, found None"),
        ("columns:", "columns: 5\n          kolumns:", "responses[0].message.columns: expected a list"),
        ("          columns:", "          kolumns:", "responses[0].message.rows: there are no columns"),
        ("COM_QUERY", "SELECT", "metadata.requestOperation: 'SELECT' is no command of MySQL"),
        ("requestOperation: COM_QUERY, ", "", "metadata.requestOperation: expected text, found None"),
        ("server: /run/mysqld.sock, ", "", "metadata.server: expected text, found None"),
        ("          query:", "          kwery:", "requests[0].message.query: expected text, found None"),
        ("responses:", "answers:", "responses: missing, and no ending says why"),
        ("    requests:", "    ending: never\n    requests:", "ending: unknown ending 'never'"),
        ("requests:\n", "requests:\n      - message: {}\n", "requests: expected one, found 2"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(right: str, wrong: str, complaint: str) -> None:
    assert right in DOCUMENT
    with pytest.raises(DocumentError) as error:
        read(DOCUMENT.replace(right, wrong, 1))
    assert complaint in str(error.value)


def test_another_kind_is_not_read() -> None:
    with pytest.raises(DocumentError, match="'Http' is not MySQL"):
        from_spec("Http", {})


def test_a_sealed_value_can_be_read_although_it_is_not_known() -> None:
    sealed = read(DOCUMENT.replace('"1200.00"', """{base64: '{{secret "password-1"}}'}"""))
    assert sealed.response is not None
    result = sealed.response.results[0]
    assert isinstance(result, ResultSet)
    assert result.rows == (("abc", b'{{secret "password-1"}}'),)
    known = read(DOCUMENT.replace('"1200.00"', "{base64: /wA=}"))
    assert known.response is not None
    result = known.response.results[0]
    assert isinstance(result, ResultSet)
    assert result.rows == (("abc", b"\xff\x00"),)


# -- any exchange -----------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=12) | st.sampled_from(["1", "1.0", "null", "~", "yes", "0x1f", "2025-01-01", "{{", " a", "-"])
CELLS: st.SearchStrategy[Cell] = (
    st.none()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-0.0, 1e20, 1e-7, 5e-324, 1.0])
    | TEXTS
    | st.binary(max_size=12)
)
NAMES = st.text(string.ascii_letters + "_?é ", min_size=1, max_size=8)
COLUMNS = st.builds(
    Column,
    name=NAMES,
    type=st.sampled_from([*map(int, Type), 77]),
    length=st.sampled_from([0, 11, 2**32 - 1]),
    flags=st.integers(0, 0xFFFF),
    decimals=st.sampled_from([0, 2, 31]),
    charset=st.sampled_from([8, 33, 45, 63, 255, 256, 2304]),
    schema=st.sampled_from(["", "shop", "stock"]),
    table=st.sampled_from(["", "orders"]),
    org_table=st.sampled_from(["", "orders", "o"]),
    org_name=st.sampled_from(["", "id"]) | NAMES,
    extra=st.sampled_from([b"", b"\x01\x04json"]),
)
MORE = int(Status.MORE_RESULTS_EXISTS)
STATUS = st.integers(0, 0xFFFF).map(
    lambda bits: bits & ~int(Status.QUERY_WAS_SLOW | Status.MORE_RESULTS_EXISTS | Status.SESSION_STATE_CHANGED)
)
NUMBERS = st.sampled_from([0, 1, 0xFFFF])
ERRORS = st.builds(Err, code=NUMBERS, sqlstate=st.sampled_from(["", "HY000", "23000", "02000"]), message=TEXTS)


@st.composite
def oks(draw: st.DrawFn) -> Ok:
    changes = draw(st.just(b"") | st.binary(min_size=1, max_size=8) | st.just(b"\x01\x05\x04shop"))
    status = draw(STATUS) | (int(Status.SESSION_STATE_CHANGED) if changes else 0)
    return Ok(
        affected_rows=draw(st.sampled_from([0, 1, 2**64 - 1])),
        last_insert_id=draw(NUMBERS),
        status=status,
        warnings=draw(NUMBERS),
        info=draw(TEXTS),
        changes=changes,
    )


@st.composite
def result_sets(draw: st.DrawFn) -> ResultSet:
    columns = draw(st.lists(COLUMNS, max_size=4).map(tuple))
    rows = draw(st.lists(st.tuples(*[CELLS] * len(columns)), max_size=3).map(tuple))
    error = draw(st.none() | ERRORS)
    return ResultSet(
        columns=columns,
        rows=rows,
        status=draw(STATUS),
        warnings=draw(NUMBERS),
        error=error,
        complete=draw(st.booleans()),
    )


RAWS = st.builds(Raw, packets=st.lists(st.binary(max_size=8), max_size=3).map(tuple))
RESULTS = oks() | ERRORS | result_sets() | RAWS
PREPARED = st.builds(
    Prepared,
    parameters=st.lists(COLUMNS, max_size=3).map(tuple),
    columns=st.lists(COLUMNS, max_size=3).map(tuple),
    warnings=NUMBERS,
)
SESSIONS = st.builds(
    Session,
    database=st.sampled_from(["", "shop", "on"]),
    settings=st.dictionaries(st.sampled_from(["time_zone", "sql_mode"]), TEXTS, max_size=2).map(
        lambda found: tuple(sorted(found.items()))
    ),
)


@st.composite
def exchanges(draw: st.DrawFn) -> MysqlExchange:
    operation = draw(st.sampled_from([one for one in Operation if one is not Operation.GREETING]))
    request = MysqlRequest(operation=operation, session=draw(SESSIONS))
    greeting = None
    results: list[Result] = draw(st.lists(RESULTS, max_size=3))
    match operation:
        case Operation.CONNECT:
            request = replace(request, user=draw(TEXTS), plugin=draw(TEXTS), tls=draw(st.booleans()))
            results = results[:1]
            greeting = draw(
                st.none()
                | st.builds(
                    Greeting,
                    server_version=TEXTS,
                    capabilities=st.integers(0, 2**32 - 1),
                    extended_capabilities=st.sampled_from([0, 29]),
                    charset=st.sampled_from([8, 45, 255, 77]),
                    status=STATUS,
                    plugin=TEXTS,
                )
            )
        case Operation.PREPARE:
            request = replace(request, query="SELECT ?")
            results = [draw(PREPARED | ERRORS)]
        case Operation.EXECUTE:
            request = replace(request, query="SELECT ?", parameters=draw(st.lists(CELLS, max_size=3).map(tuple)))
        case Operation.QUERY:
            request = replace(request, query="COMMIT", transaction=draw(st.lists(TEXTS, max_size=2).map(tuple)))
        case _:
            request = replace(request, query=draw(st.sampled_from(["COM_PING", "COM_QUERY", "shop"])))
    for turn, result in enumerate(results[:-1]):
        if isinstance(result, Ok | ResultSet):
            results[turn] = replace(result, status=result.status | MORE)
    ending = draw(st.sampled_from([Ending.ANSWERED, Ending.RESET]))
    answered = ending is Ending.ANSWERED or draw(st.booleans())
    if not answered:
        return exchange(request, answered=False, ending=ending)
    return exchange(request, *results, greeting=greeting, ending=ending)


@given(exchanges())
@settings(max_examples=300)
def test_any_exchange_comes_back_as_it_was(given_: MysqlExchange) -> None:
    found = again(given_)
    assert found == given_
    assert repr(found.response) == repr(given_.response), "a value came back as another type"


@given(st.text(max_size=60) | st.text("SELECT 'a' \\\n\r\t`\"-#/*!;?=", max_size=40))
@settings(max_examples=200)
def test_any_sql_says_the_same_when_it_comes_back(sql: str) -> None:
    found = again(exchange(sql, Ok())).request.query
    assert bind(parse(found), ()) == bind(parse(sql), ())
    assert parse(found).skeleton == parse(sql).skeleton
