"""What makes two MySQL requests the same, and how a difference is told."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.furniture import Value
from protocols.mysql import match
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
    ResultSet,
    Session,
)
from testset.model import Exchange, ExchangeId, Server

ORDERS = Server("mysql-orders", 3306)
OTHERS = Server("mysql-others", 3306)
ID = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1"
NEW = "0b3f7f0e-5a55-4c7e-9f6f-0d5f0f7a1c11"
BYTES = bytes.fromhex(ID.replace("-", ""))
NEW_BYTES = bytes.fromhex(NEW.replace("-", ""))
SHOP = Session(database="shop")


def query(sql: str, **more: Any) -> MysqlRequest:
    return MysqlRequest(**{"operation": Operation.QUERY, "query": sql, "session": SHOP, **more})


def execute(sql: str, *parameters: Cell) -> MysqlRequest:
    return query(sql, operation=Operation.EXECUTE, parameters=parameters)


def commit(*writes: str, sql: str = "COMMIT") -> MysqlRequest:
    return query(sql, transaction=writes)


def login(user: str = "app", database: str = "shop") -> MysqlRequest:
    return MysqlRequest(operation=Operation.CONNECT, user=user, session=Session(database=database))


def in_session(sql: str, database: str = "shop", **settings: str) -> MysqlRequest:
    return query(sql, session=Session(database=database, settings=tuple(sorted(settings.items()))))


def rows(names: str, *found: tuple[Cell, ...], **more: Any) -> ResultSet:
    return ResultSet(columns=tuple(Column(name=name, type=253) for name in names.split()), rows=found, **more)


def answered(request: MysqlRequest, *results: Any, greeting: Greeting | None = None) -> Exchange[Any, Any]:
    return Exchange(
        id=ExchangeId(1, 0),
        protocol="mysql",
        inbound=False,
        server=ORDERS,
        request=request,
        response=MysqlResponse(results=results, greeting=greeting) if results else None,
        started_ns=1,
        ended_ns=2,
    )


def key(request: MysqlRequest, server: Server = ORDERS) -> tuple[Hashable, list[Value]]:
    return match.route(server, request), list(match.values(request))


def told(one: MysqlRequest, other: MysqlRequest, server: Server = ORDERS) -> str:
    return str(match.difference(ORDERS, one, server, other))


# -- the route --------------------------------------------------------------------------------------------------


def test_a_driver_that_prepares_is_answered_from_the_recording_of_one_that_does_not() -> None:
    inlined = query(f"SELECT * FROM t WHERE id = '{ID}' AND price > 5.0 AND b = _binary'\udcff'")
    prepared = execute("select * from `t` where id = ? and price > ? and b = ?", ID, 5, b"\xff")
    assert key(inlined) == key(prepared)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (query("SELECT 1 FROM t"), query("SELECT 1 FROM u")),
        (query("SELECT 1"), query("SELECT 1", operation=Operation.PREPARE)),
        (query("SELECT 1"), query("SELECT 1", operation=Operation.FETCH)),
        (in_session("SELECT 1", "shop"), in_session("SELECT 1", "stock")),
        (in_session("SELECT NOW()"), in_session("SELECT NOW()", time_zone="'+02:00'")),
        (in_session('SELECT "a"'), in_session('SELECT "a"', sql_mode="'ANSI_QUOTES'")),
        (login("app"), login("root")),
        (login(database="shop"), login(database="stock")),
        (commit("INSERT a"), commit("INSERT a", sql="ROLLBACK")),
        (query("shop", operation=Operation.INIT_DB), query("stock", operation=Operation.INIT_DB)),
        (query("COM_PING", operation=Operation.OTHER), query("COM_QUIT", operation=Operation.OTHER)),
    ],
)
def test_what_is_never_matched(one: MysqlRequest, other: MysqlRequest) -> None:
    assert match.route(ORDERS, one) != match.route(ORDERS, other)
    assert match.route(ORDERS, one) != match.route(OTHERS, one)
    assert match.difference(ORDERS, one, ORDERS, other) is not None
    assert match.difference(ORDERS, one, ORDERS, one) is None


def test_a_login_shows_what_a_server_says_first() -> None:
    greeting, refusal = Greeting(server_version="8.0.43", capabilities=1), Err(code=1040, sqlstate="08004", message="x")
    assert match.opens(answered(login(), Ok(), greeting=greeting)) is True
    assert match.opens(answered(login(), refusal, greeting=greeting)) is True  # it spoke, and then refused this user
    assert match.opens(answered(login(user=""), refusal)) is False
    assert match.opens(answered(login(), Ok())) is None  # COM_CHANGE_USER
    assert match.opens(answered(login())) is None
    assert match.opens(answered(query("SELECT 1"), rows("a"))) is None


def test_statements_that_change_something_are_effects() -> None:
    assert match.is_effect(query("INSERT INTO t VALUES (1)"))
    assert match.is_effect(execute("DELETE FROM t WHERE id = ?", 1))
    assert match.is_effect(commit("INSERT t"))
    assert match.is_effect(commit("INSERT t", sql="ROLLBACK"))
    assert not match.is_effect(commit())
    assert not match.is_effect(query("SELECT a FROM t FOR UPDATE"))
    assert not match.is_effect(query("INSERT INTO t VALUES (?)", operation=Operation.PREPARE))
    assert not match.is_effect(query("INSERT INTO t VALUES (?)", operation=Operation.FETCH))
    assert not match.is_effect(login())


def test_what_belongs_to_no_test() -> None:
    greeting, prepare = (
        Greeting(server_version="8.0.43", capabilities=1),
        query("SELECT ?", operation=Operation.PREPARE),
    )
    standing = [
        answered(login(), Ok(), greeting=greeting),
        answered(login(), Ok()),  # COM_CHANGE_USER: no greeting of its own
        answered(login("root"), Ok(), greeting=greeting),
        answered(prepare, Prepared()),
        answered(query("SELECT @@sql_mode"), rows("a", ("x",))),
        answered(query("SELECT @@sql_mode"), rows("a", ("y",))),
        answered(in_session("SELECT @@sql_mode", time_zone="SYSTEM"), rows("a", ("y",))),
        answered(execute("SELECT VERSION(), ?", 1), rows("a", ("y",))),
        answered(execute("SELECT VERSION(), ?", 2), rows("a", ("y",))),
    ]
    keys = [match.standing(exchange) for exchange in standing]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    again = replace(standing[0], id=ExchangeId(2, 0), started_ns=5, ended_ns=6)
    assert match.standing(again) == keys[0]


@pytest.mark.parametrize(
    "exchange",
    [
        answered(login(), Err(code=1045, sqlstate="28000", message="Access denied")),
        answered(login()),
        answered(query("SELECT a FROM t"), rows("a", (1,))),
        answered(query("SELECT @@x"), Err(code=1193, sqlstate="HY000", message="Unknown system variable")),
        answered(query("SELECT @@sql_mode"), rows("a", complete=False)),
        answered(query("SELEC", operation=Operation.PREPARE), Err(code=1064, sqlstate="42000", message="syntax")),
        answered(query("SELECT LAST_INSERT_ID()"), rows("a", (1,))),
    ],
)
def test_what_belongs_to_whoever_caused_it(exchange: Exchange[Any, Any]) -> None:
    assert match.standing(exchange) is None


# -- values -----------------------------------------------------------------------------------------------------


def test_values_are_called_after_their_columns() -> None:
    asked = execute("INSERT INTO orders (id, total, note, raw) VALUES (?, 1200.00, NULL, ?)", ID, b"\xff\x00")
    assert match.values(asked) == [
        Value("id", ID),
        Value("total", 1200),
        Value("note", None),
        Value("raw", "hex:ff00"),
    ]


def test_a_binary_uuid_is_a_uuid() -> None:
    (value,) = match.values(execute("SELECT a FROM t WHERE id = ?", BYTES))
    assert value == Value("id", f"uuid:{ID}")
    assert match.values(query(f"SELECT a FROM t WHERE id = x'{BYTES.hex()}'")) == [value]


def test_large_bytes_are_their_digest() -> None:
    (value,) = match.values(execute("SELECT ?", b"\xff" * 65))
    assert str(value.value).startswith("sha256:")


def test_a_placeholder_that_is_only_prepared_is_no_null() -> None:
    bound = query("SELECT a FROM t WHERE b = ?", operation=Operation.PREPARE)
    literal = query("SELECT a FROM t WHERE b = NULL", operation=Operation.PREPARE)
    assert key(bound) != key(literal)


def test_of_the_end_of_a_transaction_what_was_written() -> None:
    asked = commit("INSERT orders", "UPDATE stock")
    assert match.values(asked) == [Value("write[0]", "INSERT orders"), Value("write[1]", "UPDATE stock")]
    assert match.route(ORDERS, asked) == match.route(ORDERS, commit("INSERT orders", sql="commit work"))


def test_what_an_answer_tells() -> None:
    response = MysqlResponse(
        results=(
            rows("id price id", (ID, "12.50", BYTES), ("x", None, b"text")),
            Ok(last_insert_id=17),
            Ok(),
            Err(code=1062, sqlstate="23000", message=f"Duplicate entry '{ID}'"),
            Raw(packets=(b"\x00",)),
        )
    )
    assert match.response_values(response) == [
        Value("rows[0].id", ID),
        Value("rows[0].price", "12.50"),
        Value("rows[0].id[1]", f"uuid:{ID}"),
        Value("rows[1].id", "x"),
        Value("rows[1].price", None),
        Value("rows[1].id[1]", "text"),
        Value("results[1].last_insert_id", 17),
        Value("results[3].error", f"Duplicate entry '{ID}'"),
    ]


def test_a_huge_answer_tells_so_many_values_and_no_more() -> None:
    assert len(match.response_values(MysqlResponse(results=(rows("a", *[(1,)] * 100_001),)))) == 100_000


# -- bindings ---------------------------------------------------------------------------------------------------


def test_recorded_values_become_actual_ones() -> None:
    response = MysqlResponse(
        results=(
            rows("id note raw n", (ID, f"order-{ID}.pdf", BYTES, 1234567890123), (f"x{ID}", None, b"\xff", 12)),
            Ok(last_insert_id=1234567890123),
            Err(code=1062, sqlstate="23000", message=f"Duplicate entry '{ID}' for key 'PRIMARY'"),
        )
    )
    assert match.rebind(response, {ID: NEW, "1234567890123": "9876543210987"}) == MysqlResponse(
        results=(
            rows("id note raw n", (NEW, f"order-{NEW}.pdf", NEW_BYTES, 9876543210987), (f"x{ID}", None, b"\xff", 12)),
            Ok(last_insert_id=9876543210987),
            Err(code=1062, sqlstate="23000", message=f"Duplicate entry '{NEW}' for key 'PRIMARY'"),
        )
    )


def test_a_number_does_not_become_a_word() -> None:
    response = MysqlResponse(results=(rows("n", (123456789012,)), Ok(last_insert_id=123456789012)))
    assert match.rebind(response, {"123456789012": "a word"}) == response


def test_nothing_to_rename_is_the_same_answer() -> None:
    response = MysqlResponse(results=(rows("id", (ID,)),))
    assert match.rebind(response, {}) is response
    assert match.rebind(response, {NEW: ID}) is response
    assert match.rebind(response, {ID: ID}) is response


_CELLS = st.one_of(st.none(), st.integers(-(2**63), 2**64), st.floats(), st.text(), st.binary())


@given(st.lists(_CELLS), st.dictionaries(st.text(), st.text()))
def test_any_cell_can_be_told_and_renamed(cells: list[Cell], mapping: dict[str, str]) -> None:
    response = MysqlResponse(results=(rows(" ".join("abcdefgh"[: len(cells)]), tuple(cells)),))
    match.response_values(response)
    (result,) = match.rebind(response, mapping).results
    assert isinstance(result, ResultSet)
    assert [type(cell) for cell in result.rows[0]] == [type(cell) for cell in cells]


# -- titles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "title"),
    [
        (query("select  price\n from t where id = 'x' -- why"), "SELECT price FROM t WHERE id = 'x'"),
        (execute("SELECT a FROM t WHERE b = ? AND c = ?", None, 5), "SELECT a FROM t WHERE b = NULL AND c = 5"),
        (execute("SELECT a FROM t WHERE b = ?", BYTES), f"SELECT a FROM t WHERE b = uuid:{ID}"),
        (query("(SELECT a FROM t)"), "(SELECT a FROM t)"),
        (query("SELECT ?", operation=Operation.PREPARE), "PREPARE SELECT ?"),
        (commit("INSERT orders", "UPDATE stock"), "COMMIT (INSERT orders, UPDATE stock)"),
        (commit(), "COMMIT"),
        (login(), "log in to mysql-orders:3306 as app (database shop)"),
        (login("", ""), "log in to mysql-orders:3306 as nobody"),
        (MysqlRequest(operation=Operation.GREETING), "connect to mysql-orders:3306"),
        (query("shop", operation=Operation.INIT_DB), "USE shop"),
        (query("COM_PING", operation=Operation.OTHER), "COM_PING"),
    ],
)
def test_titles(request_: MysqlRequest, title: str) -> None:
    assert match.title(ORDERS, request_) == title


def test_a_title_is_one_line_of_bearable_length() -> None:
    title = match.title(ORDERS, query(f"INSERT INTO t (a) VALUES ('{'x' * 5000}'), ({'1, ' * 500} 2)"))
    assert title.startswith("INSERT INTO t(a) VALUES ('xxx")
    assert title.endswith(" …")
    assert len(title) <= 100


# -- differences ------------------------------------------------------------------------------------------------


def test_differences_in_words() -> None:
    asked = in_session("SELECT a FROM orders WHERE customer_id = 7", time_zone="SYSTEM")
    assert told(asked, replace(asked, query="SELECT a FROM orders WHERE customer_id = 8")) == (
        "customer_id: recorded 7, now 8"
    )
    assert told(asked, replace(asked, query="SELECT a FROM order_items WHERE customer_id = 7")) == (
        "table: recorded orders, now order_items"
    )
    assert told(asked, in_session(asked.query, time_zone="'+02:00'")) == "time_zone: recorded SYSTEM, now '+02:00'"
    assert told(asked, in_session(asked.query)) == "time_zone: recorded SYSTEM, now not set"
    assert told(asked, in_session(asked.query, "stock", time_zone="SYSTEM")) == "database: recorded shop, now stock"
    assert told(asked, asked, OTHERS) == "server: recorded mysql-orders:3306, now mysql-others:3306"
    assert told(login("app"), login("root")) == "user: recorded app, now root"
    assert told(asked, login()) == "command: recorded a statement, now HandshakeV10"
    assert told(commit("INSERT a"), commit("INSERT a", "INSERT b")) == "write[1]: recorded not there, now 'INSERT b'"
    assert told(commit("INSERT a"), commit("INSERT a", sql="ROLLBACK")) == "verb: recorded COMMIT, now ROLLBACK"


@pytest.mark.parametrize("same", [query("SELECT 1"), login(), commit("INSERT a"), execute("SELECT ?", 1.0)])
def test_no_difference(same: MysqlRequest) -> None:
    assert match.difference(ORDERS, same, ORDERS, same) is None


@pytest.mark.parametrize(
    ("request_", "tables"),
    [
        (query("SELECT * FROM Orders o JOIN `lines` l ON l.o = o.id"), {"shop.orders", "shop.lines"}),
        (execute("INSERT INTO archive.orders SELECT * FROM orders WHERE id = ?", 7), {"archive.orders", "shop.orders"}),
        (query("SELECT 1"), set()),
        (commit("INSERT orders"), set()),
        (query("SELECT * FROM orders", operation=Operation.PREPARE), set()),
    ],
)
def test_what_a_statement_reads_or_changes_are_its_tables(request_: MysqlRequest, tables: set[str]) -> None:
    assert set(match.subjects(ORDERS, request_)) == {("mysql", "mysql-orders", 3306, table) for table in tables}
