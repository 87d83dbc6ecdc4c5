"""What was recorded is answered, and the answer is read again: the same values, of the same types, in every dialect."""

from __future__ import annotations

import struct
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.answers import Dialect, Shape, answer
from protocols.mysql.messages import Cell, Column, Err, Ok, Prepared, Result, ResultSet
from protocols.mysql.replies import Reply
from protocols.mysql.rows import shortest
from protocols.mysql.state import State
from protocols.mysql.terms import ColumnFlag, Type

UTF8MB4, LATIN1, GBK, BINARY = 255, 8, 28, 63
OWN_FLAGS = 0x0003  # of the status: in a transaction, autocommit; they are the session's and not the recording's
STATE_CHANGED = 0x4000

DIALECTS = st.builds(
    Dialect,
    deprecate_eof=st.booleans(),
    tracks=st.booleans(),
    metadata_flag=st.booleans(),
    cache_metadata=st.booleans(),
    extended_metadata=st.booleans(),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
DESCRIBED = st.tuples(NAMES, NAMES, NAMES, NAMES, NAMES)


def column(kind: int, *, charset: int = BINARY, length: int = 11, flags: int = 0, decimals: int = 0) -> Column:
    return Column(name="a", type=kind, charset=charset, length=length, flags=flags, decimals=decimals)


# -- columns, with what a server may have in them ---------------------------------------------------------------------


@st.composite
def whole_numbers(draw: st.DrawFn) -> tuple[Column, st.SearchStrategy[Cell]]:
    kind, bits = draw(
        st.sampled_from([(Type.TINY, 8), (Type.SHORT, 16), (Type.INT24, 24), (Type.LONG, 32), (Type.LONGLONG, 64)])
    )
    flags = draw(st.sampled_from([0, ColumnFlag.UNSIGNED, ColumnFlag.UNSIGNED | ColumnFlag.ZEROFILL]))
    low, high = (0, 2**bits - 1) if flags else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return column(kind, flags=flags, length=draw(st.integers(1, 20))), st.integers(low, high)


@st.composite
def real_numbers(draw: st.DrawFn) -> tuple[Column, st.SearchStrategy[Cell]]:
    if draw(st.booleans()):
        values = st.floats(width=32, allow_nan=False, allow_infinity=False)
        return column(Type.FLOAT, decimals=31), values.map(lambda value: float(shortest(value)))
    return column(Type.DOUBLE, decimals=31), st.floats(allow_nan=False, allow_infinity=False)


def readable(data: bytes) -> Cell:
    """What no character set is known of is text where it is some."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


@st.composite
def texts_and_bytes(draw: st.DrawFn) -> tuple[Column, st.SearchStrategy[Cell]]:
    kind = draw(st.sampled_from([Type.VAR_STRING, Type.STRING, Type.BLOB, Type.LONG_BLOB, Type.ENUM, Type.GEOMETRY]))
    charset, alphabet = draw(
        st.sampled_from([(UTF8MB4, "aé♥🎈\0'\\\n"), (LATIN1, "aé€"), (GBK, "a中文"), (BINARY, "")])
    )
    described = column(kind, charset=charset)
    return described, st.text(alphabet, max_size=300) if alphabet else st.binary(max_size=300).map(readable)


@st.composite
def moments(draw: st.DrawFn) -> tuple[Column, st.SearchStrategy[Cell]]:
    kind, digits = draw(st.sampled_from([Type.DATE, Type.DATETIME, Type.TIMESTAMP, Type.TIME])), draw(st.integers(0, 6))
    described = column(kind, decimals=0 if kind is Type.DATE else digits)
    days = st.dates(date(1, 1, 1)).map(date.isoformat) | st.sampled_from(["0000-00-00", "2024-00-00"])
    if kind is Type.DATE:
        return described, days
    fraction = st.integers(0, 10**digits - 1).map(lambda value: f".{value:0{digits}}") if digits else st.just("")
    clock = st.tuples(st.integers(0, 59), st.integers(0, 59), fraction).map(lambda t: f":{t[0]:02}:{t[1]:02}{t[2]}")
    if kind is Type.TIME:
        hours = st.tuples(st.booleans(), st.integers(0, 838))
        # nothing at all has no sign
        return described, st.tuples(hours, clock).map(
            lambda t: f"{'-' if t[0][0] and (t[0][1] or t[1].strip(':.0')) else ''}{t[0][1]:02}{t[1]}"
        )
    return described, st.tuples(days, st.integers(0, 23), clock).map(lambda t: f"{t[0]} {t[1]:02}{t[2]}")


@st.composite
def others(draw: st.DrawFn) -> tuple[Column, st.SearchStrategy[Cell]]:
    bits = draw(st.integers(1, 64))
    choice: list[tuple[Column, st.SearchStrategy[Cell]]] = [
        (column(Type.YEAR, length=4, flags=ColumnFlag.UNSIGNED | ColumnFlag.ZEROFILL), st.integers(0, 2155)),
        (column(Type.BIT, length=bits), st.integers(0, 2**bits - 1)),
        (column(Type.NEWDECIMAL, decimals=2), st.decimals(-(10**9), 10**9, places=2).map(str)),
        (column(Type.JSON), st.text('{}[]é"1,', max_size=40)),
        (column(Type.NULL), st.none()),
    ]
    return draw(st.sampled_from(choice))


@st.composite
def result_sets(draw: st.DrawFn) -> ResultSet:
    described = draw(
        st.lists(whole_numbers() | real_numbers() | texts_and_bytes() | moments() | others(), min_size=1, max_size=9)
    )
    columns = []
    for made, _ in described:
        schema, table, org_table, name, org_name = draw(DESCRIBED)
        columns.append(
            Column(
                name=name, schema=schema, table=table, org_table=org_table, org_name=org_name, type=made.type,
                length=made.length, flags=made.flags, decimals=made.decimals, charset=made.charset,
            )
        )  # fmt: skip
    rows = draw(st.lists(st.tuples(*[st.none() | cells for _, cells in described]), max_size=5))
    warnings = draw(st.integers(0, 0xFFFF))
    error = draw(st.none() | ERRORS)
    status = 0 if error else draw(st.sampled_from([0, 2, 3, 0x22]))
    return ResultSet(
        columns=tuple(columns), rows=tuple(rows), status=status, warnings=0 if error else warnings, error=error
    )


ERRORS = st.builds(
    Err, code=st.integers(1, 0xFFFF), sqlstate=st.text("0123456789HY", min_size=5, max_size=5), message=NAMES
)
COUNTS = st.integers(0, 2**64 - 1)
OKS = st.builds(
    Ok,
    affected_rows=COUNTS,
    last_insert_id=COUNTS,
    status=st.sampled_from([0, 2, 3, 0x0100]),
    warnings=st.integers(0, 0xFFFF),
    info=NAMES,
)


# -- there and back ---------------------------------------------------------------------------------------------------


def back(results: list[Result], shape: Shape, dialect: Dialect, first: State = State.HEAD) -> Reply:
    """Every result is answered with its own flags, as if it was the session's that asks."""
    reply = Reply(shape, dialect, 1 << 20, first=first)
    status = getattr(results[0], "status", 0) & OWN_FLAGS
    for payload in answer(results, shape, dialect, status, statement_id=7, whole=True):
        assert not reply.done, "the answer goes on after its end"
        reply.feed(payload)
    assert reply.done, "the answer has no end"
    return reply


def exactly(rows: tuple[tuple[Cell, ...], ...]) -> list[list[tuple[type, str]]]:
    """1 and 1.0 and True are not the same, and neither are 0.0 and -0.0."""
    return [[(type(cell), repr(cell)) for cell in row] for row in rows]


@given(result_sets(), st.sampled_from([Shape.TEXT, Shape.BINARY]), DIALECTS)
def test_rows(result: ResultSet, shape: Shape, dialect: Dialect) -> None:
    [found] = back([result], shape, dialect).results
    assert found == result
    assert isinstance(found, ResultSet)
    assert exactly(found.rows) == exactly(result.rows)


@given(OKS, st.binary(max_size=300), DIALECTS)
def test_what_was_written(result: Ok, changes: bytes, dialect: Dialect) -> None:
    if changes and dialect.tracks:
        result = Ok(
            affected_rows=result.affected_rows, last_insert_id=result.last_insert_id, warnings=result.warnings,
            info=result.info, status=result.status | STATE_CHANGED, changes=changes,
        )  # fmt: skip
    assert back([result], Shape.TEXT, dialect).results == [result]


@given(st.lists(st.builds(Ok, info=NAMES, affected_rows=COUNTS), min_size=1, max_size=4), ERRORS, DIALECTS)
def test_several_results_and_an_error(oks: list[Ok], error: Err, dialect: Dialect) -> None:
    found = back([*oks, error], Shape.TEXT, dialect).results
    assert found[-1] == error
    assert [(one.info, one.affected_rows) for one in found[:-1] if isinstance(one, Ok)] == [
        (one.info, one.affected_rows) for one in oks
    ]


@given(result_sets(), st.integers(0, 40), st.integers(0, 0xFFFF), DIALECTS)
def test_a_prepared_statement(result: ResultSet, parameters: int, warnings: int, dialect: Dialect) -> None:
    prepared = Prepared(
        parameters=(Column(name="?", type=Type.VAR_STRING),) * parameters, columns=result.columns, warnings=warnings
    )
    reply = back([prepared], Shape.PREPARED, dialect, State.PREPARED)
    assert reply.results == [prepared]
    assert reply.statement_id == 7


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_number_of_four_bytes_keeps_them(number: float) -> None:
    assert struct.pack("<f", float(shortest(number))) == struct.pack("<f", number)
