"""What statements make of a session, told as the server's answers would tell it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.messages import Err, Ok, Result, ResultSet, Session
from protocols.mysql.session import AUTOCOMMIT, IN_TRANS, SessionState

OUT = Ok(status=AUTOCOMMIT)  # of any transaction
IN = Ok(status=AUTOCOMMIT | IN_TRANS)
IN_WITHOUT_AUTOCOMMIT = Ok(status=IN_TRANS)
WITHOUT_AUTOCOMMIT = Ok(status=0)
ROWS = ResultSet(columns=(), rows=(), status=AUTOCOMMIT)
DUPLICATE = Err(code=1062, sqlstate="23000", message="Duplicate entry '1' for key 'PRIMARY'")
DEADLOCK = Err(code=1213, sqlstate="40001", message="Deadlock found when trying to get lock")


def played(*steps: str | tuple[str, Result], state: SessionState | None = None) -> SessionState:
    """A session after these statements, each answered as expected or as it is said."""
    session = state or SessionState("shop")
    for step in steps:
        sql, results = (step, ()) if isinstance(step, str) else (step[0], step[1:])
        session.after(session.parse(sql), results)
    return session


def is_chatter(session: SessionState, sql: str) -> bool:
    return session.is_chatter(session.parse(sql))


# -- what counts in a key -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "settings"),
    [
        ("SET NAMES utf8mb4", ()),
        ("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'", ()),
        ("SET character_set_results = NULL", ()),
        ("SET autocommit=0", ()),
        ("SET SESSION wait_timeout = 28800, net_write_timeout = 600", ()),
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", ()),
        ("SET foreign_key_checks = 1, UNIQUE_CHECKS = ON", ()),
        ("SET foreign_key_checks = 0", (("foreign_key_checks", "0"),)),
        ("SET NAMES latin1", (("names", "latin1"),)),
        ("SET @@session.time_zone = '+00:00'", (("time_zone", "'+00:00'"),)),
        (
            "set sql_mode='STRICT_TRANS_TABLES', sql_safe_updates=1",
            (("sql_mode", "'STRICT_TRANS_TABLES'"), ("sql_safe_updates", "1")),
        ),
    ],
)
def test_settings_count_when_a_statement_may_mean_something_else_by_them(
    sql: str, settings: tuple[tuple[str, str], ...]
) -> None:
    assert played(sql).session() == Session(database="shop", settings=settings)


@pytest.mark.parametrize(
    ("sql", "settings"),
    [
        ("SELECT @@transaction_isolation", (("transaction_isolation", "SERIALIZABLE"),)),
        ("SELECT @@session.tx_isolation", (("transaction_isolation", "SERIALIZABLE"),)),
        ("select @@LOCAL.`transaction_isolation`", (("transaction_isolation", "SERIALIZABLE"),)),
        ("SELECT @@autocommit, @@wait_timeout", (("autocommit", "0"), ("wait_timeout", "5"))),
        ("SELECT @@global.transaction_isolation", ()),
        ("SELECT @@version", ()),
        ("SELECT stock FROM products WHERE isolation = @@transaction_isolation", ()),
    ],
)
def test_a_read_of_settings_is_told_what_they_were_set_to(sql: str, settings: tuple[tuple[str, str], ...]) -> None:
    session = played("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET wait_timeout = 5, autocommit = 0")
    assert session.session_of(session.parse(sql)) == Session(database="shop", settings=settings)
    fresh = SessionState("shop")
    assert fresh.session_of(fresh.parse(sql)) == Session(database="shop")


def test_a_setting_counts_for_its_reads_until_it_is_set_back() -> None:
    session = played("SET SESSION transaction_isolation = 'SERIALIZABLE', time_zone = '+01:00'")
    read = session.parse("SELECT @@transaction_isolation")
    zone = ("time_zone", "'+01:00'")
    assert session.session_of(read).settings == (zone, ("transaction_isolation", "'SERIALIZABLE'"))
    played("SET SESSION transaction_isolation = DEFAULT", state=session)
    assert session.session_of(read).settings == (zone,)


def test_a_setting_that_goes_back_to_its_default_counts_no_more() -> None:
    assert played("SET time_zone = '+02:00'", "SET time_zone = DEFAULT").session() == Session(database="shop")


def test_checks_that_were_set_off_for_a_while_count_no_more() -> None:
    """As SQLAlchemy and every dump do: the connection goes back to its pool, and then answers as any other."""
    assert played("SET foreign_key_checks = 0", "SET foreign_key_checks = 1").session() == Session(database="shop")


def test_a_setting_that_was_refused_is_none() -> None:
    refused = Err(code=1298, sqlstate="HY000", message="Unknown or incorrect time zone: 'Mars'")
    assert played(("SET time_zone = 'Mars'", refused)).session() == Session(database="shop")


def test_the_database_is_the_one_that_is_used() -> None:
    session = played("USE `stock room`")
    assert session.session() == Session(database="stock room")
    session.use("shop")
    assert session.session() == Session(database="shop")


@pytest.mark.parametrize(
    ("steps", "codec"),
    [
        ((), "utf-8"),
        (("SET NAMES latin1",), "cp1252"),
        (("SET NAMES 'gbk'", "SET NAMES DEFAULT"), "utf-8"),
        (("SET character_set_client = cp1251",), "cp1251"),
        (("SET character_set_results = cp1251",), "utf-8"),
        (("SET CHARACTER SET sjis",), "shift_jis"),
    ],
)
def test_the_character_set_of_the_client(steps: tuple[str, ...], codec: str) -> None:
    assert played(*steps).charset == codec


def test_the_character_set_comes_from_the_login() -> None:
    assert SessionState(collation=8).charset == "cp1252"
    assert SessionState(collation=255).charset == "utf-8"


def test_quotes_are_read_as_the_mode_has_them() -> None:
    session = played("SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
    assert [slot.value for slot in session.parse("""SELECT "name" FROM t WHERE a = '\\'""").slots] == ["\\"]


# -- transactions -------------------------------------------------------------------------------------------------


def test_writes_are_remembered_from_begin_to_commit() -> None:
    session = played(("BEGIN", IN), ("INSERT INTO orders VALUES (1)", IN), ("DELETE FROM carts WHERE id = 1", IN))
    assert (session.in_transaction, session.writes) == (True, ["INSERT orders", "DELETE carts"])
    played(("COMMIT", OUT), state=session)
    assert (session.in_transaction, session.writes) == (False, [])


def test_a_transaction_ends_in_chatter_only_if_nothing_was_written() -> None:
    session = played("BEGIN", ("SELECT * FROM orders", ROWS))
    assert is_chatter(session, "COMMIT")
    played(("UPDATE orders SET a = 1", IN), state=session)
    assert not is_chatter(session, "commit")
    assert not is_chatter(session, "ROLLBACK")


@pytest.mark.parametrize(
    ("sql", "chatter"),
    [
        ("SET NAMES utf8mb4", True),
        ("USE shop", True),
        ("START TRANSACTION", True),
        ("SAVEPOINT a", True),
        ("ROLLBACK TO SAVEPOINT a", True),
        ("COMMIT", True),
        ("SELECT 1", False),
        ("INSERT INTO t VALUES (1)", False),
        ("SET GLOBAL max_connections = 5", False),
        ("CREATE TABLE t (a INT)", False),
    ],
)
def test_what_only_changes_the_session_is_chatter(sql: str, chatter: bool) -> None:
    assert is_chatter(SessionState(), sql) is chatter


def test_a_write_of_its_own_is_not_remembered() -> None:
    assert played(("INSERT INTO orders VALUES (1)", OUT)).writes == []


def test_without_autocommit_a_statement_begins_a_transaction() -> None:
    session = played(("SET autocommit=0", WITHOUT_AUTOCOMMIT))
    assert (session.autocommit, session.in_transaction) == (False, False)
    played(("INSERT INTO orders VALUES (1)", IN_WITHOUT_AUTOCOMMIT), state=session)
    assert (session.in_transaction, session.writes) == (True, ["INSERT orders"])
    played(("COMMIT", WITHOUT_AUTOCOMMIT), state=session)
    assert (session.autocommit, session.in_transaction, session.writes) == (False, False, [])


def test_a_table_without_transactions_begins_none() -> None:
    session = played("SET autocommit=0", ("INSERT INTO myisam VALUES (1)", WITHOUT_AUTOCOMMIT))
    assert (session.in_transaction, session.writes) == (False, [])


@pytest.mark.parametrize(
    "sql", ["SET autocommit = 1", "SET @@session.autocommit = ON", "CREATE TABLE t (a INT)", "START TRANSACTION"]
)
def test_an_implicit_commit_forgets_the_writes(sql: str) -> None:
    session = played("SET autocommit=0", ("INSERT INTO orders VALUES (1)", IN_WITHOUT_AUTOCOMMIT), sql)
    assert session.writes == []


def test_a_temporary_table_commits_nothing() -> None:
    session = played("BEGIN", ("INSERT INTO a VALUES (1)", IN), ("CREATE TEMPORARY TABLE t (a INT)", IN))
    assert session.writes == ["INSERT a"]


def test_a_procedure_that_commits_is_seen_by_its_flags() -> None:
    session = played("BEGIN", ("INSERT INTO a VALUES (1)", IN), ("CALL finish()", OUT))
    assert (session.in_transaction, session.writes) == (False, [])


def test_a_read_that_was_recorded_elsewhere_ends_no_transaction() -> None:
    session = played("BEGIN", ("INSERT INTO a VALUES (1)", IN), ("SELECT VERSION()", ROWS))
    assert (session.in_transaction, session.writes) == (True, ["INSERT a"])


def test_what_is_replayed_says_nothing_about_autocommit() -> None:
    session = played("SET autocommit=0")
    session.after(session.parse("SELECT VERSION()"), (ROWS,), replayed=True)
    assert session.autocommit is False
    session.after(session.parse("SELECT VERSION()"), (ROWS,))
    assert session.autocommit is True


def test_back_to_a_savepoint_keeps_the_writes() -> None:
    session = played("BEGIN", "SAVEPOINT a", ("INSERT INTO a VALUES (1)", IN), "ROLLBACK TO SAVEPOINT a")
    assert session.writes == ["INSERT a"]


def test_and_chain_begins_the_next_transaction() -> None:
    begun = ("BEGIN", ("INSERT INTO a VALUES (1)", IN))
    assert played(*begun, "COMMIT AND CHAIN").in_transaction
    assert not played(*begun, "COMMIT AND NO CHAIN").in_transaction
    assert played("SET completion_type = 1", *begun, "COMMIT").in_transaction


def test_an_error_changes_nothing_but_for_a_deadlock() -> None:
    session = played("BEGIN", ("INSERT INTO a VALUES (1)", IN), ("INSERT INTO a VALUES (1)", DUPLICATE))
    assert (session.in_transaction, session.writes) == (True, ["INSERT a"])
    played(("UPDATE b SET c = 1", DEADLOCK), state=session)
    assert (session.in_transaction, session.writes) == (False, [])


def test_several_statements_in_one() -> None:
    session = played(("BEGIN; INSERT INTO a VALUES (1); SELECT 1", IN))
    assert (session.in_transaction, session.writes) == (True, ["INSERT a"])
    played(("INSERT INTO a VALUES (2); COMMIT", OUT), state=session)
    assert (session.in_transaction, session.writes) == (False, [])
    assert played("USE stock; SET time_zone = 'UTC'").session() == Session(
        database="stock", settings=(("time_zone", "'UTC'"),)
    )


# -- begun anew, and kept -----------------------------------------------------------------------------------------


def test_a_reset_leaves_the_database_alone() -> None:
    session = played(
        "USE stock", "SET time_zone = 'UTC', autocommit = 0", "SET NAMES latin1", "INSERT INTO a VALUES (1)"
    )
    session.reset()
    assert session.to_json() == SessionState("stock").to_json()


def test_another_user_begins_anew() -> None:
    session = played("SET time_zone = 'UTC'", "BEGIN")
    session.change_user("stock", collation=8)
    assert session.to_json() == SessionState("stock", collation=8).to_json()


def test_what_is_remembered_is_bounded() -> None:
    session = played("BEGIN", *["INSERT INTO a VALUES (1)"] * 20_000)
    assert len(session.writes) == 16_384
    session = played(*[f"SET variable_{number} = 'x'" for number in range(1500)])
    assert len(session.settings) == 1024
    session = played(*[f"SET {name} = '{name * 600_000}'" for name in "abc"], "SET time_zone = 'UTC'")
    assert list(session.settings) == ["a", "time_zone"]


SOME_SQL = st.sampled_from(
    [
        "BEGIN", "COMMIT", "ROLLBACK", "SET autocommit=0", "SET autocommit=1", "INSERT INTO a VALUES (1)", "SELECT 1",
        "SET NAMES latin1", "SET time_zone='UTC'", "USE b", "CREATE TABLE t (a INT)", "CALL p()", "BEGIN; SELECT 1",
    ]
)  # fmt: skip
SOME_ANSWER = st.sampled_from(
    [(), (OUT,), (IN,), (IN_WITHOUT_AUTOCOMMIT,), (ROWS,), (DUPLICATE,), (DEADLOCK,), (ROWS, OUT)]
)
SOME_STEPS = st.lists(st.tuples(SOME_SQL, SOME_ANSWER))


@given(SOME_STEPS, SOME_STEPS)
def test_what_was_kept_goes_on_where_it_was(
    before: list[tuple[str, tuple[Result, ...]]], after: list[tuple[str, tuple[Result, ...]]]
) -> None:
    session = SessionState("shop", collation=28)
    for sql, results in before:
        session.after(session.parse(sql), results)
    again = SessionState.from_json(json.loads(json.dumps(session.to_json())))
    for sql, results in after:
        assert again.session() == session.session()
        for one in (session, again):
            one.after(one.parse(sql), results)
    assert again.to_json() == session.to_json()
    assert session.writes == [] or session.in_transaction
