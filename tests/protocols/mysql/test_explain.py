"""What a developer is told about two statements that are not the same."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.explain import explain

EXPLAINED = [
    ("SELECT a FROM orders", "SELECT a FROM order_items", "table: recorded orders, now order_items"),
    ("SELECT a FROM shop.t", "SELECT a FROM stock.t", "table: recorded shop.t, now stock.t"),
    ("SELECT id, price FROM t", "SELECT id, cost FROM t", "column: recorded price, now cost"),
    ("SELECT id FROM t", "SELECT id, a, b FROM t", "columns: recorded not there, now a, b"),
    ("SELECT a, b FROM t", "SELECT b, a FROM t", "order of columns: recorded a, b, now b, a"),
    ("SELECT DISTINCT a FROM t", "SELECT a FROM t", "DISTINCT: recorded DISTINCT, now not there"),
    ("SELECT a FROM t WHERE b = 1 AND c = 2", "SELECT a FROM t WHERE c = 2", "WHERE: recorded b = ?, now not there"),
    ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b > 1", "WHERE: recorded b = ?, now b > ?"),
    ("SELECT a FROM t WHERE b = c", "SELECT a FROM t WHERE b = 'c'", "WHERE: recorded b = c, now b = ?"),
    (
        "SELECT a FROM t WHERE id IN (1, 2)",
        "SELECT a FROM t WHERE id IN (1, 2, 3)",
        "WHERE: recorded id IN (?, ?), now id IN (?, ?, ?)",
    ),
    ("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a DESC", "ORDER BY: recorded a, now a DESC"),
    ("SELECT a FROM t", "SELECT a FROM t LIMIT 5", "LIMIT: recorded not there, now ?"),
    ("SELECT a FROM t", "SELECT a FROM t FOR UPDATE", "lock: recorded not there, now FOR UPDATE"),
    (
        "SELECT a FROM t JOIN u ON t.i = u.i",
        "SELECT a FROM t LEFT JOIN u ON t.i = u.i",
        "JOIN: recorded JOIN u ON t.i = u.i, now LEFT JOIN u ON t.i = u.i",
    ),
    ("SELECT a FROM t GROUP BY a", "SELECT a FROM t GROUP BY b", "GROUP BY: recorded a, now b"),
    ("INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a, b) VALUES (1, 2)", "column: recorded not there, now b"),
    ("INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (1), (2)", "rows: recorded 1, now 2"),
    ("UPDATE t SET a = 1", "UPDATE t SET a = a + 1", "SET: recorded a = ?, now a = a + ?"),
    ("UPDATE t SET a = 1", "DELETE FROM t", "verb: recorded UPDATE, now DELETE"),
    ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = 2", "b: recorded 1, now 2"),
]
# What sqlglot drops, or does not know.
BY_WORDS = [
    ("SELECT /*+ x */ a FROM t", "SELECT a FROM t"),
    ("SELECT /*!40001 SQL_NO_CACHE */ a FROM t", "SELECT a FROM t"),
    ("INSERT INTO t VALUES (1)", "INSERT IGNORE INTO t VALUES (1)"),
    ("CALL a(1)", "CALL b(1)"),
    ("REPLACE INTO t SET a = 1", "REPLACE INTO t SET b = 1"),
    ("LOAD DATA INFILE 'x' INTO TABLE t", "LOAD DATA INFILE 'x' INTO TABLE u"),
    ("XA START 'a'", "XA START 'a' JOIN"),
    ("SELECT a FROM t; SELECT 1", "SELECT a FROM t; SELECT b"),
    ("no sql (", "no sql )"),
    ("", "SELECT 1"),
]


@pytest.mark.parametrize(("recorded", "actual", "words"), EXPLAINED)
def test_in_words(recorded: str, actual: str, words: str) -> None:
    assert str(explain(recorded, actual)) == words


@pytest.mark.parametrize(("recorded", "actual"), BY_WORDS)
def test_where_no_parser_helps_the_first_words_that_differ(
    recorded: str, actual: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        difference = explain(recorded, actual)
    assert difference.expected != difference.actual
    assert difference.place
    assert not caplog.records, "the parser talks to the user"


_WORDS = (
    "SELECT FROM WHERE a b t ( ) , = ? 'x' 1 JOIN ON UNION INSERT INTO VALUES UPDATE SET ; IN AND ORDER BY ` WITH AS"
)
_TEXTS = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(_WORDS.split(" ")), max_size=14).map(" ".join))


@given(_TEXTS, _TEXTS)
def test_any_two_texts_are_explained(recorded: str, actual: str) -> None:
    str(explain(recorded, actual)).encode("utf-8", "surrogatepass")


def test_a_statement_too_deep_for_a_parser() -> None:
    deep = f"SELECT a FROM t WHERE b = {'(' * 3000}1{')' * 3000}"
    difference = explain(deep, deep.replace("a FROM", "c FROM"))
    assert difference.place == 'after "SELECT"'
    assert difference.expected.startswith("a FROM t WHERE b")
    assert difference.actual.startswith("c FROM t WHERE b")
