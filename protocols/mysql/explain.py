"""Two statements that are not the same: what a developer would say is different.

sqlglot reads both, and the parts that people speak of are compared in turn: tables, columns, conditions, order, limit.
It drops things (hints, SESSION) and knows not every statement, so it only ever says what differs, never that nothing
does: then the first words that differ are named.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from protocols.furniture import Difference
from protocols.mysql.statement import Statement, parse

_LONGEST = 20_000  # characters that are worth sqlglot's time
_WIDEST = 90  # characters of a part in a message
_NOTHING = "not there"
_KNOWN = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE TABLE", "ALTER TABLE"})


def explain(recorded: str, actual: str) -> Difference:
    """Where two statements differ first."""
    return between(parse(recorded), parse(actual))


def between(one: Statement, other: Statement) -> Difference:
    """The same, of statements that are read already."""
    if one.skeleton == other.skeleton:
        return _values(one, other)
    if one.verb != other.verb and one.verb and other.verb:
        return Difference("verb", one.verb, other.verb)
    if one.verb in _KNOWN and max(len(one.skeleton), len(other.skeleton)) <= _LONGEST:
        found = _by_parts(one.skeleton, other.skeleton)
        if found is not None:
            return found
    return _first_words(one.skeleton, other.skeleton)


def _values(one: Statement, other: Statement) -> Difference:
    for before, after in zip(one.slots, other.slots, strict=True):
        if before.value != after.value:
            return Difference(before.name, _shown(repr(before.value)), _shown(repr(after.value)))
    return Difference("statement", _shown(one.skeleton), _shown(other.skeleton))


# -- by parts ---------------------------------------------------------------------------------------------------


def _by_parts(recorded: str, actual: str) -> Difference | None:
    trees = _tree(recorded), _tree(actual)
    if trees[0] is None or trees[1] is None:
        return None
    from sqlglot.errors import SqlglotError

    try:
        return next(_differences(*trees), None)
    except (SqlglotError, RecursionError, ValueError, AttributeError, TypeError):
        return None  # it explains, and others do where it cannot


def _tree(skeleton: str) -> Any:
    """sqlglot's reading of a statement, None where it has none."""
    import sqlglot
    from sqlglot.errors import ErrorLevel, SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of every statement that it cannot read
    try:
        trees = sqlglot.parse(skeleton, read="mysql", error_level=ErrorLevel.RAISE)
    except (SqlglotError, RecursionError, ValueError, AttributeError, TypeError):
        return None
    tree = trees[0] if len(trees) == 1 else None
    return tree if tree is not None and tree.key != "command" else None


def _differences(one: Any, other: Any) -> Iterator[Difference]:
    from sqlglot import exp

    if one.key != other.key:
        yield Difference("statement", one.key.upper(), other.key.upper())
        return
    yield from _listed("table", _tables(one), _tables(other))
    if isinstance(one, exp.Insert):
        yield from _listed("column", _inserted(one), _inserted(other))
        yield from _rows(one, other)
    if isinstance(one, exp.Update):
        yield from _listed("SET", _sqls(one.expressions), _sqls(other.expressions))
    if isinstance(one, exp.Select):
        yield from _listed("column", _sqls(one.expressions), _sqls(other.expressions))
        yield from _whole("DISTINCT", one.args.get("distinct"), other.args.get("distinct"))
    yield from _joins(one, other)
    for name, key in (("WHERE", "where"), ("HAVING", "having")):
        yield from _conditions(name, one.args.get(key), other.args.get(key))
    for name, key in (("GROUP BY", "group"), ("ORDER BY", "order"), ("LIMIT", "limit"), ("OFFSET", "offset")):
        yield from _whole(name, one.args.get(key), other.args.get(key))
    yield from _whole("ON DUPLICATE KEY UPDATE", one.args.get("conflict"), other.args.get("conflict"))
    yield from _listed("lock", _sqls(one.args.get("locks") or ()), _sqls(other.args.get("locks") or ()))
    if isinstance(one, exp.Insert):
        yield from _whole("SELECT", one.expression, other.expression)


def _tables(tree: Any) -> list[str]:
    from sqlglot import exp

    local = {cte.alias for cte in tree.find_all(exp.CTE)}
    names = [".".join(part.name for part in table.parts) for table in tree.find_all(exp.Table)]
    return list(dict.fromkeys(name for name in names if name and name not in local))


def _inserted(tree: Any) -> list[str]:
    target = tree.this
    return [column.name for column in target.expressions] if target.key == "schema" else []


def _rows(one: Any, other: Any) -> Iterator[Difference]:
    sizes = [len(tree.expression.expressions) for tree in (one, other) if tree.expression.key == "values"]
    if len(sizes) == 2 and sizes[0] != sizes[1]:
        yield Difference("rows", f"{sizes[0]}", f"{sizes[1]}")


def _joins(one: Any, other: Any) -> Iterator[Difference]:
    yield from _listed("JOIN", _sqls(one.args.get("joins") or ()), _sqls(other.args.get("joins") or ()))


def _conditions(name: str, one: Any, other: Any) -> Iterator[Difference]:
    """WHERE and HAVING, condition by condition where they are joined by AND."""
    yield from _listed(name, _anded(one), _anded(other))
    yield from _whole(name, one, other)


def _anded(clause: Any) -> list[str]:
    from sqlglot import exp

    if clause is None:
        return []
    condition = clause.this
    return _sqls(condition.flatten() if isinstance(condition, exp.And) else [condition])


def _sqls(trees: Any) -> list[str]:
    return [tree.sql(dialect="mysql") for tree in trees]


def _whole(name: str, one: Any, other: Any) -> Iterator[Difference]:
    texts = [tree.sql(dialect="mysql").strip() if tree is not None else "" for tree in (one, other)]
    if texts[0] != texts[1]:
        short = [text.removeprefix(name).strip() or (name if text else "") for text in texts]
        yield Difference(name, _shown(short[0]), _shown(short[1]))


def _listed(name: str, one: Sequence[str], other: Sequence[str]) -> Iterator[Difference]:
    """What is in one list and not in the other."""
    gone, new = [text for text in one if text not in other], [text for text in other if text not in one]
    if not gone and not new:
        if list(one) != list(other):
            yield Difference(f"order of {_plural(name)}", _shown(", ".join(one)), _shown(", ".join(other)))
        return
    place = name if max(len(gone), len(new)) == 1 else _plural(name)
    yield Difference(place, _shown(", ".join(gone)), _shown(", ".join(new)))


def _plural(name: str) -> str:
    return f"{name}s" if name.islower() else name


def _shown(text: str) -> str:
    if not text:
        return _NOTHING
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST // 2]} … {text[-_WIDEST // 2 :]}"


# -- by words ---------------------------------------------------------------------------------------------------


def _first_words(recorded: str, actual: str) -> Difference:
    """The first words that differ, and what they stand after."""
    before, after = recorded.split(" "), actual.split(" ")
    pairs = zip(before, after, strict=False)
    start = next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
    context = " ".join(before[max(0, start - 2) : start])
    place = f'after "{context}"' if context else "statement"
    return Difference(place, _shown(" ".join(before[start : start + 6])), _shown(" ".join(after[start : start + 6])))
