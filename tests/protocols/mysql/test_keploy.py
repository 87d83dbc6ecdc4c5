"""Keploy's documents, packet by packet, become exchanges; what is missing in them is named by its place."""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.keploy import Connections
from protocols.mysql.messages import (
    Column,
    Err,
    Greeting,
    MysqlRequest,
    Ok,
    Operation,
    Prepared,
    ResultSet,
    Session,
)
from protocols.mysql.terms import Type
from protocols.mysql.yaml import MysqlExchange, from_spec
from testset import text
from testset.errors import DocumentError
from testset.model import Server

LOGIN = """
    metadata: {connID: "3", requestOperation: HandshakeV10, responseOperation: OK, type: config}
    requests:
      - header: {header: {payload_length: 32, sequence_id: 1}, packet_type: SSLRequest}
        message: {capability_flags: 3, max_packet_size: 1024, character_set: 255, filler: [0, 0]}
      - header: {header: {payload_length: 99, sequence_id: 2}, packet_type: HandshakeResponse41}
        message:
          capability_flags: 3
          character_set: 255
          username: clerk
          auth_response: [1, 2, 3]
          database: shop
          auth_plugin_name: caching_sha2_password
          connection_attributes: {_pid: "17"}
      - header: {header: {payload_length: 9, sequence_id: 4}, packet_type: plain_password}
        message: aHVudGVyMgA=
    responses:
      - header: {header: {payload_length: 74, sequence_id: 0}, packet_type: HandshakeV10}
        message:
          protocol_version: 10
          server_version: 8.4.1
          connection_id: 12
          auth_plugin_data: [9, 8, 7, 0]
          capability_flags: 3758096383
          character_set: 255
          status_flags: 2
          auth_plugin_name: caching_sha2_password
      - header: {header: {payload_length: 2, sequence_id: 3}, packet_type: AuthMoreData}
        message: {status_tag: 1, data: PerformFullAuthentication}
      - header: {header: {payload_length: 15, sequence_id: 5}, packet_type: OK}
        message: {header: 0, affected_rows: 0, last_insert_id: 0, status_flags: 16386, warnings: 0,
                  info: "\\0\\a\\x01\\x05\\x04shop"}
    created: 1700000000
    reqtimestampmock: 2023-11-14T22:13:20.5Z
    restimestampmock: 2023-11-14T22:13:20.75Z
"""

SELECT = """
    metadata: {connID: "3", requestOperation: COM_QUERY, responseOperation: TextResultSet, type: mocks}
    requests:
      - header: {header: {payload_length: 40, sequence_id: 0}, packet_type: COM_QUERY}
        message: {command: 3, parameter_count: 0, query: "SELECT sku, n, price, weight, photo FROM stock"}
    responses:
      - header: {header: {payload_length: 1, sequence_id: 1}, packet_type: TextResultSet}
        message:
          columnCount: 5
          columns:
            - {header: {payload_length: 40, sequence_id: 2}, catalog: def, schema: shop, table: s, org_table: stock,
               name: sku, org_name: sku, fixed_length: 12, character_set: 255, column_length: 80, type: 253,
               flags: 4097, decimals: 0, filler: [0, 0], defaultValue: ""}
            - {name: n, character_set: 63, column_length: 11, type: 3, flags: 0, decimals: 0}
            - {name: price, character_set: 63, column_length: 12, type: 246, flags: 0, decimals: 2}
            - {name: weight, character_set: 63, column_length: 22, type: 5, flags: 0, decimals: 31}
            - {name: photo, character_set: 63, column_length: 65535, type: 252, flags: 144, decimals: 0}
          eofAfterColumns: []
          rows:
            - header: {payload_length: 20, sequence_id: 7}
              values:
                - {type: 253, name: sku, value: A-1, unsigned: false}
                - {type: 3, name: n, value: "7", unsigned: false}
                - {type: 246, name: price, value: "9.50", unsigned: false}
                - {type: 5, name: weight, value: 2, unsigned: false}
                - {type: 252, name: photo, value: [255, 216], unsigned: false}
            - header: {payload_length: 20, sequence_id: 8}
              values:
                - {type: 253, name: sku, value: B-2, unsigned: false}
                - {type: 3, name: n, value: null, unsigned: false}
                - {type: 246, name: price, value: 3.25, unsigned: false}
                - {type: 5, name: weight, value: 0.5, unsigned: false}
                - {type: 252, name: photo, value: !!binary aGk=, unsigned: false}
          FinalResponse: {data: [7, 0, 0, 9, 254, 0, 0, 34, 0, 1, 0], type: EOF}
    created: 1700000001
    reqtimestampmock: 2023-11-14T22:13:21Z
    restimestampmock: 2023-11-14T22:13:22Z
"""

PREPARE = """
    metadata: {connID: "3", requestOperation: COM_STMT_PREPARE, responseOperation: COM_STMT_PREPARE_OK}
    requests:
      - header: {header: {payload_length: 40, sequence_id: 0}, packet_type: COM_STMT_PREPARE}
        message: {command: 22, query: "INSERT INTO stock (sku, n, weight, photo) VALUES (?, ?, ?, ?)"}
    responses:
      - header: {header: {payload_length: 12, sequence_id: 1}, packet_type: COM_STMT_PREPARE_OK}
        message:
          status: 0
          statement_id: 5
          num_columns: 0
          num_params: 4
          warning_count: 0
          param_definitions:
            - {name: "?", character_set: 63, column_length: 0, type: 253, flags: 128, decimals: 0}
            - {name: "?", character_set: 63, column_length: 0, type: 253, flags: 128, decimals: 0}
            - {name: "?", character_set: 63, column_length: 0, type: 253, flags: 128, decimals: 0}
            - {name: "?", character_set: 63, column_length: 0, type: 253, flags: 128, decimals: 0}
          eofAfterParamDefs: [5, 0, 0, 6, 254, 0, 0, 2, 0]
          column_definitions: []
          eofAfterColumnDefs: []
    created: 1700000002
"""

EXECUTE = """
    metadata: {connID: "3", requestOperation: COM_STMT_EXECUTE, responseOperation: OK}
    requests:
      - header: {header: {payload_length: 60, sequence_id: 0}, packet_type: COM_STMT_EXECUTE}
        message:
          status: 23
          statement_id: 5
          parameter_count: 4
          parameters:
            - {type: 254, unsigned: false, value: A-1}
            - {type: 8, unsigned: false, value: 7}
            - {type: 5, unsigned: false, value: 4.612811918334231e+18}
            - {type: 252, unsigned: false, value: null}
    responses:
      - header: {header: {payload_length: 7, sequence_id: 1}, packet_type: OK}
        message: {header: 0, affected_rows: 1, last_insert_id: 9, status_flags: 3, warnings: 0, info: ""}
"""

LONG_DATA = """
    metadata: {connID: "3", requestOperation: COM_STMT_SEND_LONG_DATA, responseOperation: NO Response Packet}
    requests:
      - header: {packet_type: COM_STMT_SEND_LONG_DATA}
        message: {status: 24, statement_id: 5, parameter_id: 3, data: [255, 216]}
    responses: []
"""

CLOSE = """
    metadata: {connID: "3", requestOperation: COM_STMT_CLOSE, responseOperation: NO Response Packet}
    requests:
      - header: {packet_type: COM_STMT_CLOSE}
        message: {status: 25, statement_id: 5}
    responses: []
"""


def read(document: str) -> MysqlExchange:
    return from_spec("MySQL", text.load(document))


def response_to(exchange: MysqlExchange) -> Any:
    assert exchange.response is not None
    (result,) = exchange.response.results
    return result


def test_a_login_without_what_is_secret_in_it() -> None:
    found = read(LOGIN)
    assert found.request == MysqlRequest(
        operation=Operation.CONNECT,
        user="clerk",
        plugin="caching_sha2_password",
        tls=True,
        session=Session(database="shop"),
    )
    assert found.response is not None
    assert found.response.greeting == Greeting(
        server_version="8.4.1", capabilities=3758096383, plugin="caching_sha2_password"
    )
    assert response_to(found) == Ok(status=16386, changes=b"\x01\x05\x04shop")
    assert (found.started_ns, found.ended_ns) == (1_700_000_000_500_000_000, 1_700_000_000_750_000_000)
    assert found.server == Server("", 0)
    assert "aHVudGVyMgA" not in repr(found)
    assert "hunter2" not in repr(found)


def test_a_result_set_with_values_of_their_types() -> None:
    found = read(SELECT)
    assert found.request.query == "SELECT sku, n, price, weight, photo FROM stock"
    result = response_to(found)
    assert isinstance(result, ResultSet)
    assert result.columns[0] == Column(
        name="sku", type=Type.VAR_STRING, length=80, flags=4097, charset=255,
        schema="shop", table="s", org_table="stock", org_name="sku",
    )  # fmt: skip
    assert result.rows == (("A-1", 7, "9.50", 2.0, b"\xff\xd8"), ("B-2", None, "3.25", 0.5, "hi"))
    assert [type(cell) for cell in result.rows[0]] == [str, int, str, float, bytes]
    assert (result.status, result.warnings) == (34, 1)


def test_the_end_of_a_result_set_as_old_servers_say_it() -> None:
    result = response_to(read(SELECT.replace("[7, 0, 0, 9, 254, 0, 0, 34, 0, 1, 0]", "[5, 0, 0, 9, 254, 1, 0, 34, 0]")))
    assert (result.status, result.warnings) == (34, 1)


def test_a_result_set_that_ends_with_an_error() -> None:
    packet = b"\x0d\0\0\x09\xff\xe9\x0bHY000late"
    result = response_to(read(SELECT.replace("[7, 0, 0, 9, 254, 0, 0, 34, 0, 1, 0]", str(list(packet)))))
    assert result.error == Err(code=3049, sqlstate="", message="HY000late")
    packet = b"\x0d\0\0\x09\xff\xe9\x0b#HY000late"
    result = response_to(read(SELECT.replace("[7, 0, 0, 9, 254, 0, 0, 34, 0, 1, 0]", str(list(packet)))))
    assert result.error == Err(code=3049, sqlstate="HY000", message="late")


def test_both_spellings_of_the_times() -> None:
    again = read(SELECT.replace("reqtimestampmock", "reqTimestampMock").replace("restimestampmock", "resTimestampMock"))
    assert again == read(SELECT)


def test_an_error_is_an_error() -> None:
    found = read("""
        metadata: {connID: "3", requestOperation: COM_QUERY, responseOperation: ERR}
        requests: [{header: {packet_type: COM_QUERY}, message: {command: 3, query: SELECT 1 FROM nowhere}}]
        responses:
          - header: {packet_type: ERR}
            message: {header: 255, error_code: 1146, sql_state_marker: "#", sql_state: 42S02, error_message: no table}
        """)
    assert response_to(found) == Err(code=1146, sqlstate="42S02", message="no table")


def test_the_length_before_a_text_is_no_part_of_it() -> None:
    info = "Rows matched: 1  Changed: 1  Warnings: 0"
    for written in (info, "(" + info):
        found = read(EXECUTE.replace('info: ""', f'info: "{written}"'))
        assert response_to(found) == Ok(affected_rows=1, last_insert_id=9, status=3, info=info)


def test_statements_are_known_from_the_documents_before() -> None:
    connections = Connections()
    found = []
    for document in (LOGIN, PREPARE, LONG_DATA, EXECUTE, EXECUTE, CLOSE):
        spec = text.load(document)
        found.append(connections.completed(spec, from_spec("MySQL", spec)))
    _, prepared, _, executed, executed_again, closed = found
    sql = "INSERT INTO stock (sku, n, weight, photo) VALUES (?, ?, ?, ?)"
    assert prepared.request == MysqlRequest(operation=Operation.PREPARE, query=sql, session=Session(database="shop"))
    assert response_to(prepared) == Prepared(parameters=(Column(name="?", type=Type.VAR_STRING, flags=128),) * 4)
    assert executed.request == MysqlRequest(
        operation=Operation.EXECUTE,
        query=sql,
        parameters=("A-1", 7, 2.5, b"\xff\xd8"),
        session=Session(database="shop"),
    )
    assert executed_again.request.parameters == ("A-1", 7, 2.5, None), "long data is for one execution"
    assert (closed.request.operation, closed.request.query) == (Operation.OTHER, "COM_STMT_CLOSE")


def test_statements_of_another_connection_are_not_mixed_up() -> None:
    connections = Connections()
    prepare, execute = text.load(PREPARE), text.load(EXECUTE.replace('connID: "3"', 'connID: "4"'))
    connections.completed(prepare, from_spec("MySQL", prepare))
    found = connections.completed(execute, from_spec("MySQL", execute))
    assert found.request.query == "keploy-statement:4:5"


def test_a_query_of_a_connection_without_a_login_is_in_the_only_database_there_is() -> None:
    connections = Connections()
    login, select = text.load(LOGIN), text.load(SELECT.replace('connID: "3"', 'connID: "4"'))
    connections.completed(login, from_spec("MySQL", login))
    assert connections.completed(select, from_spec("MySQL", select)).request.session == Session(database="shop")


def test_what_rr_wrote_is_not_touched() -> None:
    spec = {
        "metadata": {"requestOperation": "COM_QUERY", "server": "db:3306"},
        "requests": [{"message": {"query": "SELECT 1"}}],
        "responses": [{"message": {"affected_rows": 0}}],
    }
    found = from_spec("MySQL", spec)
    assert Connections().completed(spec, found) is found


def test_parameters_as_bytes_on_the_wire() -> None:
    wire = {8: struct.pack("<q", -3), 3: struct.pack("<i", 4), 5: struct.pack("<d", 0.1), 253: b"abc"}
    lines = "\n".join(f"            - {{type: {kind}, value: {list(data)}}}" for kind, data in wire.items())
    start, end = EXECUTE.index("            - {type: 254"), EXECUTE.index("    responses:")
    assert read(EXECUTE[:start] + lines + "\n" + EXECUTE[end:]).request.parameters == (-3, 4, 0.1, "abc")


@given(st.decimals("-99999.99", "99999.99", places=2).map(float).filter(lambda number: number != 0))
def test_a_double_that_was_written_as_its_bits_is_mended(number: float) -> None:
    bits = float(struct.unpack("<Q", struct.pack("<d", number))[0])
    assert read(EXECUTE.replace("4.612811918334231e+18", repr(bits))).request.parameters == ("A-1", 7, number, None)


@pytest.mark.parametrize("number", [0.0, 1200.0, -1.5e17, 1e18, 6.02e23, -4.6e18])
def test_a_double_that_is_meant_stays(number: float) -> None:
    assert read(EXECUTE.replace("4.612811918334231e+18", repr(number))).request.parameters == ("A-1", 7, number, None)


def without(*path: str | int) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        for step in path[:-1]:
            spec = spec[step]
        del spec[path[-1]]

    return edit


def put(value: Any, *path: str | int) -> Callable[[Any], None]:
    def edit(spec: Any) -> None:
        for step in path[:-1]:
            spec = spec[step]
        spec[path[-1]] = value

    return edit


ANSWER = ("responses", 0, "message")


@pytest.mark.parametrize(
    ("document", "edit", "complaint"),
    [
        (SELECT, without(*ANSWER, "rows", 1, "values", 4), "responses[0].message.rows[1]: 4 values for 5 columns"),
        (SELECT, without(*ANSWER, "columns", 4), "responses[0].message.columns: 4 of 5 are there"),
        (SELECT, without(*ANSWER, "FinalResponse"), "responses[0].message.rows[1]: nothing follows it"),
        (SELECT, put({"data": [], "type": ""}, *ANSWER, "FinalResponse"), "rows[1]: nothing follows it"),
        (SELECT, put(["x"], *ANSWER, "FinalResponse", "data"), "FinalResponse.data: expected a list of bytes"),
        (SELECT, put("x", *ANSWER, "rows", 0, "values", 1, "value"), "rows[0].values[1]: 'x' is no number"),
        (SELECT, put({}, *ANSWER, "rows", 0, "values", 1, "value"), "rows[0].values[1]: expected a value, found {}"),
        (SELECT, put("x", *ANSWER, "columns", 0, "type"), "columns[0].type: expected a whole number, found 'x'"),
        (SELECT, put([], "responses"), "responses: there is none"),
        (SELECT, put("Column", "responses", 0, "header", "packet_type"), "a packet of the type 'Column'"),
        (SELECT, without("requests", 0, "message", "query"), "requests[0].message.query: expected text, found None"),
        (LOGIN, without("responses", 2), "responses: the login has no end"),
        (LOGIN, without(*ANSWER, "server_version"), "responses[0].message.server_version: expected text, found None"),
        (PREPARE, without(*ANSWER, "param_definitions", 0), "param_definitions: 3 of 4 are there"),
        (EXECUTE, put([{"type": 3, "value": "x"}], "requests", 0, "message", "parameters"), "parameters[0]: 'x' is no"),
    ],
)
def test_what_is_missing_is_named_by_its_place(document: str, edit: Callable[[Any], None], complaint: str) -> None:
    spec = copy.deepcopy(text.load(document))
    edit(spec)
    with pytest.raises(DocumentError) as error:
        from_spec("MySQL", spec)
    assert complaint in str(error.value)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=4) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["header", "message", "a"]), inner),
    max_leaves=4,
)


@given(st.sampled_from([LOGIN, SELECT, PREPARE, EXECUTE, LONG_DATA]), st.data())
def test_whatever_stands_in_a_document_it_is_read_or_refused(document: str, data: st.DataObject) -> None:
    spec = text.load(document)
    place: Any = spec
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JUNK)
    with suppress(DocumentError):
        Connections().completed(spec, from_spec("MySQL", spec))
