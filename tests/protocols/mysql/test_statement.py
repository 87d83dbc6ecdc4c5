"""What a statement asks for: an outline that is the same however it was written, and the values in it."""

from __future__ import annotations

import hashlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.mysql.messages import Cell
from protocols.mysql.statement import Kind, Slot, Statement, bind, parse, parse_in, shortened

LARGE = (1 << 20) + 1


def seen(statement: Statement, parameters: tuple[Cell, ...] | None = None) -> tuple[str, list[Cell]]:
    """What two statements must have in common to be the same."""
    return statement.skeleton, [slot.value for slot in bind(statement, parameters)]


def named(sql: str) -> dict[str, Cell]:
    return {slot.name: slot.value for slot in parse(sql).slots}


# -- the same ---------------------------------------------------------------------------------------------------

SAME = [
    ("SELECT a FROM t WHERE id = 5", "select  a\n\tfrom t\n where id=5"),
    ("SELECT a FROM t WHERE id = 5", "SELECT `a` FROM `t` WHERE `id`=5"),
    ("SELECT a FROM t WHERE id = 5", "SELECT a FROM t WHERE id = 5 -- the order"),
    ("SELECT a FROM t WHERE id = 5", "SELECT /* trace=1 */ a FROM t # why\n WHERE id = 5"),
    ("SELECT a FROM t WHERE id = 5", "SELECT a FROM t WHERE id = 5.0"),
    ("SELECT a FROM t WHERE id = 5", "SELECT a FROM t WHERE id = 5e0"),
    ("SELECT a FROM t WHERE id = 5", "SELECT a FROM t WHERE id = 005"),
    ("SELECT 0.5", "SELECT .50"),
    ("SELECT 1200", "SELECT 1200.00"),
    ("SELECT COUNT(*) FROM t", "SELECT count( * ) FROM t"),
    ("SELECT o.id FROM shop.orders o", "select `o` . `id` from `shop`.`orders` `o`"),
    ("INSERT INTO t (a, b) VALUES (1, 'x')", "insert into t(a,b) values(1,'x')"),
    ("SELECT 'it''s'", r"SELECT 'it\'s'"),
    ("SELECT 'it''s'", 'SELECT "it\'s"'),
    ("SELECT 'ab'", "SELECT 'a' 'b'"),
    ("SELECT 'ab'", "SELECT 'a' /* and */ \"b\""),
    ("SELECT 'abc'", "SELECT _binary'abc'"),
    ("SELECT 'abc'", "SELECT _utf8mb4 'abc'"),
    ("SELECT 'abc'", "SELECT N'abc'"),
    ("SELECT 'abc'", "SELECT x'616263'"),
    ("SELECT 'abc'", "SELECT 0x616263"),
    ("SELECT '\udcffa'", "SELECT x'ff61'"),
    ("SELECT _binary'\udcff'", "SELECT 0xFF"),
    (r"SELECT '\0\n\Z\%'", "SELECT x'000a1a5c25'"),
    ("SELECT 5", "SELECT b'101'"),
    ("UPDATE t SET a = 1", "UPDATE t SET a = TRUE"),
    ("SELECT a FROM 2fa", "SELECT a FROM `2fa`"),
    ("BEGIN", "begin"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_however_it_was_written(one: str, other: str) -> None:
    assert seen(parse(one)) == seen(parse(other))


BOUND: list[tuple[str, str, tuple[Cell, ...]]] = [
    ("SELECT a FROM t WHERE id = 5", "SELECT a FROM t WHERE id = ?", (5,)),
    ("SELECT a FROM t WHERE id = 5", "SELECT a FROM t WHERE id = ?", (5.0,)),
    ("SELECT a FROM t WHERE id = -5", "SELECT a FROM t WHERE id = ?", (-5,)),
    ("SELECT a FROM t WHERE id IN (-5, - 1.5)", "SELECT a FROM t WHERE id IN (?, ?)", (-5, -1.5)),
    ("INSERT INTO t VALUES (1200.00)", "INSERT INTO t VALUES (?)", (1200.0,)),
    ("INSERT INTO t VALUES (19.99)", "INSERT INTO t VALUES (?)", (19.99,)),
    ("INSERT INTO t VALUES (NULL)", "INSERT INTO t VALUES (?)", (None,)),
    ("UPDATE t SET a = true, b = FALSE", "UPDATE t SET a = ?, b = ?", (1, 0)),
    ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = ?", ("x",)),
    ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = ?", (b"x",)),
    ("SELECT a FROM t WHERE b = _binary'\udcff'", "SELECT a FROM t WHERE b = ?", (b"\xff",)),
    ("SELECT a FROM t WHERE b = x'ff'", "SELECT a FROM t WHERE b = ?", (b"\xff",)),
    ("SELECT a FROM t LIMIT 10 OFFSET 20", "SELECT a FROM t LIMIT ? OFFSET ?", (10, 20)),
    (f"SELECT '{'é' * LARGE}'", "SELECT ?", ("é" * LARGE,)),
    (f"SELECT '{'é' * LARGE}'", "SELECT ?", (("é" * LARGE).encode(),)),
]


@pytest.mark.parametrize(("inlined", "prepared", "parameters"), BOUND)
def test_a_driver_that_inlines_says_the_same_as_one_that_prepares(
    inlined: str, prepared: str, parameters: tuple[Cell, ...]
) -> None:
    assert seen(parse(inlined)) == seen(parse(prepared), parameters)


# -- not the same -----------------------------------------------------------------------------------------------

DIFFERENT = [
    ("SELECT a FROM t", "SELECT a FROM u"),
    ("SELECT a FROM t", "SELECT b FROM t"),
    ("SELECT a FROM t", "SELECT a FROM T"),
    ("SELECT a FROM t", "SELECT a FROM s.t"),
    ("SELECT a FROM t", "SELECT a, b FROM t"),
    ("SELECT a FROM t", "SELECT DISTINCT a FROM t"),
    ("SELECT a FROM t", "SELECT a FROM t FOR UPDATE"),
    ("SELECT a FROM t", "SELECT a FROM t LIMIT 1"),
    ("SELECT a FROM t", "SELECT a FROM t -1"),
    ("SELECT a FROM t", "SELECT /*+ MAX_EXECUTION_TIME(1) */ a FROM t"),
    ("SELECT a FROM t", "SELECT /*!40001 SQL_NO_CACHE */ a FROM t"),
    ("SELECT a FROM t WHERE a = 1", "SELECT a FROM t WHERE a > 1"),
    ("SELECT a FROM t WHERE a = 1", "SELECT a FROM t WHERE a = '1'"),
    ("SELECT a FROM t WHERE a = 1", "SELECT a FROM t WHERE a = 2"),
    ("SELECT a FROM t WHERE a = 1", "SELECT a FROM t WHERE a = -1"),
    ("SELECT a FROM t WHERE a = 1", "SELECT a FROM t WHERE b = 1"),
    ("SELECT a FROM t WHERE a = 'x'", "SELECT a FROM t WHERE a = 'X'"),
    ("SELECT a FROM t WHERE a = 'x'", "SELECT a FROM t WHERE a = 'x '"),
    ("SELECT a FROM t WHERE a = 'x'", "SELECT a FROM t WHERE a = _latin1'x'"),
    ("SELECT a FROM t WHERE a = 'x'", "SELECT a FROM t WHERE a = x"),
    ("SELECT a FROM t WHERE a = NULL", "SELECT a FROM t WHERE a IS NULL"),
    ("SELECT a FROM t WHERE a IS NULL", "SELECT a FROM t WHERE a IS NOT NULL"),
    ("SELECT a FROM t WHERE a = NULL", "SELECT a FROM t WHERE a = 'NULL'"),
    ("SELECT a FROM t WHERE a IN (1, 2)", "SELECT a FROM t WHERE a IN (1, 2, 3)"),
    ("SELECT a FROM t WHERE a IN (1)", "SELECT a FROM t WHERE a NOT IN (1)"),
    ("SELECT a FROM t WHERE a = 1 AND b = 2", "SELECT a FROM t WHERE a = 1 OR b = 2"),
    ("SELECT a FROM t WHERE (a = 1 AND b = 2) OR c = 3", "SELECT a FROM t WHERE a = 1 AND (b = 2 OR c = 3)"),
    ("INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (1), (1)"),
    ("INSERT INTO t (a) VALUES (1)", "INSERT IGNORE INTO t (a) VALUES (1)"),
    ("INSERT INTO t (a) VALUES (1)", "REPLACE INTO t (a) VALUES (1)"),
    ("INSERT INTO t (a) VALUES ('')", "INSERT INTO t (a) VALUES (NULL)"),
    ("SELECT a FROM t JOIN u ON 1", "SELECT a FROM t LEFT JOIN u ON 1"),
    ("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a DESC"),
    ("SELECT `order` FROM t", "SELECT order FROM t"),
    ("SELECT `a b` FROM t", "SELECT a b FROM t"),
    ("SELECT @a", "SELECT @@a"),
    ("SELECT a FROM t UNION SELECT 1", "SELECT a FROM t UNION ALL SELECT 1"),
    ("SELECT 1", "SELECT 1; SELECT 1"),
    ("SELECT 12345678901234567890.1", "SELECT 12345678901234567890.2"),
    ("SELECT 9007199254740993", "SELECT 9007199254740992"),
    ("SELECT x'00'", "SELECT 0"),
    ("INSERT INTO Orders (a) VALUES (1)", "INSERT INTO orders (a) VALUES (1)"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_asks_for_something_else_is_never_the_same(one: str, other: str) -> None:
    assert seen(parse(one)) != seen(parse(other))


def test_what_sql_mode_changes_about_quotes() -> None:
    assert parse('SELECT "a" FROM t').skeleton == "SELECT ? FROM t"
    assert parse('SELECT "a" FROM t', ansi_quotes=True).skeleton == "SELECT a FROM t"
    assert parse_in('SELECT "a" FROM t', "'ANSI_QUOTES,STRICT_ALL_TABLES'").skeleton == "SELECT a FROM t"
    assert [slot.value for slot in parse(r"SELECT 'a\', '").slots] == ["a', "]
    assert [slot.value for slot in parse(r"SELECT 'a\', 'b'", no_backslash_escapes=True).slots] == ["a\\", "b"]


def test_a_sealed_secret_may_stand_in_double_quotes() -> None:
    assert named('SELECT a FROM t WHERE token = "{{secret "jwt-1"}}" AND b = 1') == {
        "token": '{{secret "jwt-1"}}',
        "b": 1,
    }


# -- names ------------------------------------------------------------------------------------------------------

NAMES = [
    ("SELECT a FROM t WHERE customer_id = 1 AND o.status <> 'x'", ["customer_id", "status"]),
    ("INSERT INTO t (a, `order`) VALUES (?, ?)", ["a", "order"]),
    ("INSERT INTO t (a, b) VALUES (1, 2), (3, 4)", ["a[0]", "b[0]", "a[1]", "b[1]"]),
    ("INSERT INTO t (id, a, b) VALUES (UUID(), CONCAT('x', a), 5)", ["a", "b"]),
    ("INSERT INTO t VALUES (1, 2)", ["value 1", "value 2"]),
    ("INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE n = n + 1", ["a", "n"]),
    ("INSERT INTO t SET a = 1, b = 2", ["a", "b"]),
    ("UPDATE t SET stock = stock - 2 WHERE id = 'x' AND stock >= 2", ["stock[0]", "id", "stock[1]"]),
    ("SELECT a FROM t WHERE id IN (1, 2)", ["id[0]", "id[1]"]),
    ("SELECT a FROM t WHERE day BETWEEN '1' AND '2' AND b = 3", ["day[0]", "day[1]", "b"]),
    ("SELECT a FROM t WHERE name LIKE '%x%' OR LOWER(email) = 'y'", ["name", "email"]),
    ("SELECT a FROM t WHERE created_at > NOW() - INTERVAL 7 DAY", ["created_at"]),
    ("SELECT a FROM t WHERE MATCH (title) AGAINST ('x')", ["title"]),
    ("SELECT a FROM t LIMIT 10", ["LIMIT"]),
    ("SELECT a FROM t LIMIT 20, 10", ["OFFSET", "LIMIT"]),
    ("SELECT a FROM t LIMIT 10 OFFSET 20", ["LIMIT", "OFFSET"]),
    ("SELECT a FROM t WHERE x = (SELECT 1 LIMIT 1) AND y = 2", ["value 1", "LIMIT", "y"]),
    ("CALL p(1, 'x')", ["value 1", "value 2"]),
    ("SET @x = 5", ["@x"]),
    ("SELECT a FROM t WHERE a = ? AND ? = a", ["a", "value 2"]),
]


@pytest.mark.parametrize(("sql", "names"), NAMES)
def test_values_are_called_after_their_columns(sql: str, names: list[str]) -> None:
    assert [slot.name for slot in parse(sql).slots] == names


def test_more_parameters_than_placeholders_are_kept() -> None:
    assert bind(parse("SELECT ?"), (1, 2)) == (Slot("value 1", 1, True), Slot("parameter 1", 2, True))


# -- kinds ------------------------------------------------------------------------------------------------------

KINDS = [
    ("SELECT a FROM t", Kind.READ, "SELECT t"),
    ("select a from t for update", Kind.READ, "SELECT t"),
    ("(SELECT a FROM t) UNION (SELECT b FROM u)", Kind.READ, "SELECT t"),
    ("SELECT a FROM t INTO OUTFILE '/x'", Kind.WRITE, "SELECT t"),
    ("SELECT a INTO @v FROM t", Kind.READ, "SELECT t"),
    ("TABLE t", Kind.READ, "TABLE t"),
    ("VALUES ROW(1, 2)", Kind.READ, "VALUES"),
    ("SHOW CREATE TABLE t", Kind.READ, "SHOW CREATE t"),
    ("DESCRIBE t", Kind.READ, "DESCRIBE t"),
    ("DESC t", Kind.READ, "DESCRIBE t"),
    ("EXPLAIN SELECT a FROM t", Kind.READ, "EXPLAIN t"),
    ("HANDLER t READ FIRST", Kind.READ, "HANDLER t"),
    ("WITH c AS (SELECT a FROM t) SELECT * FROM c", Kind.READ, "SELECT t"),
    ("WITH c AS (SELECT a FROM t) UPDATE u JOIN c SET u.a = 1", Kind.WRITE, "UPDATE u"),
    ("WITH RECURSIVE c (n) AS (SELECT 1) DELETE FROM u", Kind.WRITE, "DELETE u"),
    ("INSERT INTO order_items (a) VALUES (1)", Kind.WRITE, "INSERT order_items"),
    ("INSERT t VALUES (1)", Kind.WRITE, "INSERT t"),
    ("INSERT INTO t SELECT a FROM u", Kind.WRITE, "INSERT t"),
    ("INSERT IGNORE INTO `order` (a) VALUES (1)", Kind.WRITE, "INSERT order"),
    ("REPLACE INTO t SET a = 1", Kind.WRITE, "REPLACE t"),
    ("UPDATE a, b SET a.x = b.y", Kind.WRITE, "UPDATE a"),
    ("DELETE a FROM t AS a JOIN u ON 1", Kind.WRITE, "DELETE t"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", Kind.WRITE, "LOAD DATA t"),
    ("CALL place_order(1)", Kind.WRITE, "CALL place_order"),
    ("DO RELEASE_LOCK('x')", Kind.WRITE, "DO"),
    ("XA COMMIT 'x'", Kind.WRITE, "XA COMMIT"),
    ("XA RECOVER", Kind.READ, "XA RECOVER"),
    ("PREPARE s FROM 'SELECT 1'", Kind.READ, "PREPARE"),
    ("EXECUTE s", Kind.WRITE, "EXECUTE"),
    ("KILL 5", Kind.WRITE, "KILL"),
    ("who knows", Kind.WRITE, "WHO"),
    ("ANALYZE SELECT a FROM t", Kind.READ, "ANALYZE t"),
    ("ANALYZE UPDATE t SET a = 1", Kind.WRITE, "ANALYZE t"),
    ("ANALYZE TABLE t", Kind.DDL, "ANALYZE t"),
    ("CREATE TABLE IF NOT EXISTS orders (id INT DEFAULT NULL)", Kind.DDL, "CREATE TABLE orders"),
    ("create unique index i on t (a)", Kind.DDL, "CREATE INDEX t"),
    ("CREATE OR REPLACE VIEW v AS SELECT a FROM t", Kind.DDL, "CREATE VIEW v"),
    ("CREATE PROCEDURE p() BEGIN SELECT 1; DELETE FROM t; END", Kind.DDL, "CREATE PROCEDURE p"),
    ("ALTER TABLE t ADD COLUMN a INT", Kind.DDL, "ALTER TABLE t"),
    ("DROP TABLE IF EXISTS t", Kind.DDL, "DROP TABLE t"),
    ("TRUNCATE TABLE t", Kind.DDL, "TRUNCATE t"),
    ("TRUNCATE t", Kind.DDL, "TRUNCATE t"),
    ("GRANT SELECT ON *.* TO 'u'@'h'", Kind.DDL, "GRANT"),
    ("LOCK TABLES a READ, b WRITE", Kind.DDL, "LOCK TABLES a"),
    ("UNLOCK TABLES", Kind.DDL, "UNLOCK TABLES"),
    ("SET PASSWORD = 'x'", Kind.DDL, "SET PASSWORD"),
    ("SET NAMES utf8mb4", Kind.SESSION, "SET"),
    ("SET GLOBAL max_connections = 5", Kind.WRITE, "SET"),
    ("SET @@GLOBAL.max_connections = 5", Kind.WRITE, "SET"),
    ("SET @x = 5", Kind.WRITE, "SET"),
    ("SET STATEMENT max_statement_time = 1 FOR SELECT a FROM t", Kind.READ, "SELECT t"),
    ("/*!40101 SET NAMES utf8 */", Kind.WRITE, "SET"),
    ("USE `shop`", Kind.USE, "USE shop"),
    ("BEGIN WORK", Kind.BEGIN, "BEGIN"),
    ("START TRANSACTION READ ONLY", Kind.BEGIN, "START TRANSACTION"),
    ("START REPLICA", Kind.WRITE, "START"),
    ("commit", Kind.COMMIT, "COMMIT"),
    ("ROLLBACK", Kind.ROLLBACK, "ROLLBACK"),
    ("ROLLBACK TO SAVEPOINT a", Kind.SAVEPOINT, "ROLLBACK"),
    ("SAVEPOINT a", Kind.SAVEPOINT, "SAVEPOINT"),
    ("RELEASE SAVEPOINT a", Kind.SAVEPOINT, "RELEASE SAVEPOINT"),
    ("SELECT a FROM t; INSERT INTO u VALUES (1)", Kind.WRITE, "INSERT u"),
    ("SET autocommit = 0; SELECT a FROM t;", Kind.READ, "SELECT t"),
    ("", Kind.READ, ""),
    ("-- nothing", Kind.READ, ""),
]


@pytest.mark.parametrize(("sql", "kind", "title"), KINDS)
def test_kinds_and_titles(sql: str, kind: Kind, title: str) -> None:
    statement = parse(sql)
    assert (statement.kind, statement.title) == (kind, title)
    assert statement.is_effect is (kind in (Kind.WRITE, Kind.DDL))


TABLES = [
    ("SELECT * FROM a, b AS x, c WHERE a.i IN (SELECT i FROM d)", ("a", "b", "c", "d")),
    ("SELECT * FROM a JOIN shop.`b` USING (i) LEFT JOIN c ON 1", ("a", "shop.b", "c")),
    ("SELECT * FROM (SELECT * FROM inner_one) x", ("inner_one",)),
    ("SELECT EXTRACT(YEAR FROM created_at) FROM t", ("t",)),
    ("INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 2", ("t",)),
    ("SELECT a FROM t FOR UPDATE", ("t",)),
    ("CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES u (b))", ("t", "u")),
]


@pytest.mark.parametrize(("sql", "tables"), TABLES)
def test_tables(sql: str, tables: tuple[str, ...]) -> None:
    assert parse(sql).tables == tables


SETTINGS = [
    ("SET NAMES utf8mb4", {"names": "utf8mb4"}),
    ("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'", {"names": "utf8mb4", "collation_connection": "utf8mb4_bin"}),
    ("SET CHARACTER SET latin1", {"character_set": "latin1"}),
    ("set autocommit=0", {"autocommit": "0"}),
    ("SET @@session.autocommit = off", {"autocommit": "OFF"}),
    ("SET SESSION sql_mode = 'ANSI', LOCAL Time_Zone='+02:00'", {"sql_mode": "'ANSI'", "time_zone": "'+02:00'"}),
    ("SET time_zone = system", {"time_zone": "SYSTEM"}),
    ("SET sql_mode = CONCAT(@@sql_mode, ',X')", {"sql_mode": "CONCAT(@@sql_mode, ',X')"}),
    ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", {"transaction_isolation": "READ-COMMITTED"}),
    (
        "SET SESSION TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
        {"transaction_read_only": "1", "transaction_isolation": "SERIALIZABLE"},
    ),
    ("SET @old = @@time_zone, time_zone = '+00:00'", {"time_zone": "'+00:00'"}),
    ("SET GLOBAL time_zone = '+00:00'", {}),
    ("SET character_set_results = NULL", {"character_set_results": "NULL"}),
    ("SET a = 1; SET b = 2", {"a": "1", "b": "2"}),
    ("SELECT 1", {}),
]


@pytest.mark.parametrize(("sql", "settings"), SETTINGS)
def test_settings(sql: str, settings: dict[str, str]) -> None:
    assert dict(parse(sql).settings) == settings


STANDING = [
    "SELECT 1",
    "SELECT @@version_comment LIMIT 1",
    "SELECT @@session.transaction_isolation AS x, @@sql_mode",
    "SELECT VERSION()",
    "select database()",
    "SELECT CAST('test plain returns' AS CHAR(60)) AS anon_1",
    "SHOW VARIABLES LIKE 'sql_mode'",
    "SHOW SESSION VARIABLES",
    "SHOW COLLATION",
    "SHOW CHARACTER SET",
    "SHOW ENGINES",
    "SELECT 1 FROM DUAL",
]
PASSING = [
    "SELECT a FROM t",
    "SELECT LAST_INSERT_ID()",
    "SELECT @@identity",
    "SELECT @@session.warning_count",
    "SELECT FOUND_ROWS()",
    "SELECT CONNECTION_ID()",
    "SELECT NOW()",
    "SELECT @user_variable",
    "SELECT 1 FROM t",
    "SHOW TABLES",
    "SHOW WARNINGS",
    "INSERT INTO t VALUES (1)",
    "SET NAMES utf8",
]


@pytest.mark.parametrize("sql", STANDING)
def test_what_is_asked_about_the_server_alone(sql: str) -> None:
    assert parse(sql).standing


@pytest.mark.parametrize("sql", PASSING)
def test_what_is_not(sql: str) -> None:
    assert not parse(sql).standing


def test_each_of_several_statements() -> None:
    several = parse("BEGIN; INSERT INTO a VALUES (1); SELECT 1").several
    assert [(one.kind, one.verb) for one in several] == [
        (Kind.BEGIN, "BEGIN"),
        (Kind.WRITE, "INSERT"),
        (Kind.READ, "SELECT"),
    ]


# -- large and binary -------------------------------------------------------------------------------------------


def test_a_large_literal_is_its_digest() -> None:
    sql = f"INSERT INTO t (a, b) VALUES ('{'x' * LARGE}', 'small')"
    digest = f"sha256:{hashlib.sha256(b'x' * LARGE).hexdigest()}"
    assert named(sql) == {"a": digest, "b": "small"}
    assert shortened(sql) == f"INSERT INTO t (a, b) VALUES ('{digest}', 'small')"


SHORTENED = [
    f"INSERT INTO t VALUES ('{'é' * LARGE}', -5, NULL) -- 'comment'",
    f"INSERT INTO t VALUES ('{'a' * (LARGE // 2)}' /* and */ '{'b' * LARGE}')",
    f"INSERT INTO t VALUES (_binary'{'a' * LARGE}', N'{'b' * LARGE}')",
    f"INSERT INTO t VALUES (x'{'00' * LARGE}', 0x{'ff' * LARGE})",
    f"INSERT INTO t VALUES ('{'its' * LARGE}', '\\'')",
    "INSERT INTO t VALUES (_binary'\udcff\udc80\\0', 'a' '\udcfe', 'plain', ?)",
    "INSERT INTO t VALUES ('" + "\udcff" * LARGE + "')",
]


@pytest.mark.parametrize("sql", SHORTENED, ids=lambda sql: str(len(sql)))
def test_a_shortened_statement_is_the_same(sql: str) -> None:
    short = shortened(sql)
    assert len(short) < 300
    short.encode()  # a document is text
    assert seen(parse(short)) == seen(parse(sql))
    assert shortened(short) == short


def test_what_needs_no_shortening_stays_as_it_is() -> None:
    sql = "SELECT 'ü', x'ff', 'a' 'b' -- and so on"
    assert shortened(sql) is sql


# -- any text ---------------------------------------------------------------------------------------------------

_WORDS = """
    SELECT INSERT INTO VALUES ( ) , ; . ? ' " ` `a` 'x' "y" \\ \\' '' -- # /* */ /*! /*+ -5 - 5 1e5 1. .5 0x 0xff
    x'4 x'41' b'1 N'x' _utf8mb4 _binary @ @@ @'a' @@session.x NULL TRUE IS NOT SET NAMES GLOBAL TRANSACTION COLLATE a b
    t. FROM
    UPDATE WITH AS IN BETWEEN AND LIMIT OFFSET ON CREATE PROCEDURE USE XA STATEMENT FOR {{secret "a"}} 1a \udcff \x00 é
    SHOW ANALYZE BEGIN END 2147483648 --\n \n :: := <=> || -> ROLLBACK TO 9007199254740993.12345678901234567890 \ud800
    """
_PIECES = st.sampled_from(_WORDS.split(" "))
_LISTS = st.lists(_PIECES, max_size=24)
_TEXTS = st.one_of(st.text(max_size=60), _LISTS.map("".join), _LISTS.map(" ".join))


@given(_TEXTS, st.booleans(), st.booleans())
@example("SELECT .5.x", False, False)
@example("SELECT - -5", False, False)
@example("`abc` x", False, False)
@example("a.`null`", False, False)
@example("0`a`(", False, False)
@example("0.0X0", False, False)
@example("@0.0A", False, False)
def test_any_text_is_a_statement(sql: str, ansi_quotes: bool, no_backslash_escapes: bool) -> None:
    def read(text: str) -> Statement:
        return parse(text, ansi_quotes=ansi_quotes, no_backslash_escapes=no_backslash_escapes)

    statement = read(sql)
    again = read(statement.skeleton)
    assert again.skeleton == statement.skeleton
    assert [slot.name for slot in again.slots] == [slot.name for slot in statement.slots]
    assert len({slot.name for slot in statement.slots}) == len(statement.slots)
    assert len(bind(statement, (1, "x", None))) >= len(statement.slots)


@given(_TEXTS, st.booleans(), st.booleans())
def test_any_text_shortens_to_itself(sql: str, ansi_quotes: bool, no_backslash_escapes: bool) -> None:
    mode = {"ansi_quotes": ansi_quotes, "no_backslash_escapes": no_backslash_escapes}
    assert seen(parse(shortened(sql, **mode), **mode)) == seen(parse(sql, **mode))


@given(st.text(), st.booleans())
def test_any_text_survives_its_quotes(text: str, doubled: bool) -> None:
    quoted = text.replace("'", "''") if doubled else text.replace("\\", "\\\\").replace("'", "\\'")
    slots = parse(f"SELECT '{quoted}'", no_backslash_escapes=doubled).slots
    assert [slot.value for slot in slots] == [text]


def test_a_long_text_takes_time_in_proportion() -> None:
    hostile = [
        "'",
        "(",
        "--\n",
        "/*",
        "{{secret ",
        '"{{secret "',
        "1.",
        "@",
        "-",
        "x'",
        "\\",
        "/*!*/",
        "SET STATEMENT a FOR ",
    ]
    for piece in hostile:
        started = time.process_time()
        parse(piece * 30_000)
        assert time.process_time() - started < 20, piece


def test_many_short_statements_are_remembered_and_few_long_ones() -> None:
    short = [f"SELECT a{number} FROM t" for number in range(1000)]
    before = [parse(sql) for sql in short]
    assert all(parse(sql) is statement for sql, statement in zip(short, before, strict=True))
    longer = [f"SELECT {number}" + ",1" * 300 for number in range(300)]
    before = [parse(sql) for sql in longer]
    assert parse(longer[0]) is not before[0]
    assert parse(longer[-1]) is before[-1]
