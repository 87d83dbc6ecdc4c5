"""Column definitions to and from a document, a line each: what follows from the rest is left out.

- The schema is the session's database, and names in the server (`org_…`) are the names that are shown, for a column of
  a table; a column that was computed has none of these.
- Numbers and times are `binary`; so is text with the flag BINARY. All other text of one answer is in one character set,
  which the answer states once, unless it is MySQL's own.
- There are no decimals; but FLOAT, DOUBLE and computed text have as many as come (31).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntFlag
from typing import Any, TypeVar

from protocols.documents import integer, mapping, sequence
from protocols.mysql import collations
from protocols.mysql.messages import Column
from protocols.mysql.terms import ColumnFlag, Type
from protocols.mysql.texts import octets, said, shown
from testset.errors import DocumentError

_AS_MANY_AS_COME = 31  # decimals
_APPROXIMATE = frozenset({Type.FLOAT, Type.DOUBLE})
_TEXT = frozenset(
    {
        Type.VARCHAR, Type.VAR_STRING, Type.STRING, Type.ENUM, Type.SET, Type.JSON,
        Type.TINY_BLOB, Type.MEDIUM_BLOB, Type.LONG_BLOB, Type.BLOB,
    }
)  # fmt: skip

Flags = TypeVar("Flags", bound=IntFlag)


def common_charset(columns: Iterable[Column]) -> int:
    """The one character set of all text in an answer; MySQL's own if there is none, or more than one."""
    charsets = {column.charset for column in columns if _is_text(column.type, column.flags)}
    return charsets.pop() if len(charsets) == 1 else collations.UTF8MB4


def to_specs(columns: Sequence[Column], database: str, charset: int, *, name: str = "") -> list[dict[str, Any]]:
    """`charset`: what `common_charset` has said of the answer. `name`: how they are all called, if they are."""
    return [_to_spec(column, database, charset, name) for column in columns]


def _to_spec(column: Column, database: str, charset: int, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {} if name and column.name == name else {"name": shown(column.name)}
    spec["type"] = _type_name(column.type)
    if column.length:
        spec["length"] = column.length
    if column.decimals != _usual_decimals(column.type, column.table):
        spec["decimals"] = column.decimals
    if column.flags:
        spec["flags"] = flag_names(ColumnFlag, column.flags)
    if column.charset != _usual_charset(column.type, column.flags, charset):
        spec["charset"] = collations.label(column.charset)
    if column.table:
        spec["table"] = shown(column.table)
    if column.schema != (database if column.table else ""):
        spec["schema"] = shown(column.schema)
    if column.org_table != column.table:
        spec["org_table"] = shown(column.org_table)
    if column.org_name != (column.name if column.table else ""):
        spec["org_name"] = shown(column.org_name)
    if column.extra:
        spec["extra"] = column.extra
    return spec


def from_specs(value: Any, key: str, database: str, charset: int, *, name: str = "") -> tuple[Column, ...]:
    return tuple(
        _from_spec(mapping(item, f"{key}[{index}]"), f"{key}[{index}]", database, charset, name)
        for index, item in enumerate(sequence(value, key))
    )


def _from_spec(spec: Mapping[str, Any], key: str, database: str, charset: int, called: str) -> Column:
    name = said(spec.get("name"), f"{key}.name", called or None)
    kind = _type(spec.get("type"), f"{key}.type")
    flags = flag_bits(ColumnFlag, spec.get("flags"), f"{key}.flags")
    table = said(spec.get("table"), f"{key}.table", "")
    own = spec.get("charset")
    return Column(
        name=name,
        type=kind,
        length=within(spec.get("length"), f"{key}.length", 0, 0xFFFFFFFF),
        flags=flags,
        decimals=within(spec.get("decimals"), f"{key}.decimals", _usual_decimals(kind, table), 0xFF),
        charset=_usual_charset(kind, flags, charset) if own is None else collations.number(own, f"{key}.charset"),
        schema=said(spec.get("schema"), f"{key}.schema", database if table else ""),
        table=table,
        org_table=said(spec.get("org_table"), f"{key}.org_table", table),
        org_name=said(spec.get("org_name"), f"{key}.org_name", name if table else ""),
        extra=octets(spec.get("extra", b""), f"{key}.extra"),
    )


def _is_text(kind: int, flags: int) -> bool:
    return kind in _TEXT and not flags & ColumnFlag.BINARY


def _usual_charset(kind: int, flags: int, charset: int) -> int:
    return charset if _is_text(kind, flags) else collations.BINARY


def _usual_decimals(kind: int, table: str) -> int:
    return _AS_MANY_AS_COME if kind in _APPROXIMATE or (kind in _TEXT and not table) else 0


def _type_name(kind: int) -> str | int:
    try:
        return Type(kind).name
    except ValueError:
        return kind


def _type(value: Any, key: str) -> int:
    if isinstance(value, str) and value.upper() in Type.__members__:
        return int(Type[value.upper()])
    if isinstance(value, str) or value is None:
        raise DocumentError(f"{key}: {value!r} is no type of a column")
    return within(value, key, 0, 0xFF)


def within(value: Any, key: str, default: int | None, largest: int) -> int:
    """A whole number that its field on the wire can hold."""
    found = integer(value, key, default)
    if not 0 <= found <= largest:
        raise DocumentError(f"{key}: {found} is not within 0 and {largest}")
    return found


# -- flags ------------------------------------------------------------------------------------------------------------


def flag_names(kind: type[Flags], bits: int) -> list[str | int]:
    """Bits by their names, and a number for those that have none."""
    names: list[str | int] = []
    for flag in kind:
        if bits & flag == flag and flag.name is not None:
            names.append(flag.name)
            bits &= ~int(flag)  # of the enumeration, ~ would take the bits without a name as well
    return [*names, bits] if bits else names


def flag_bits(kind: type[Flags], value: Any, key: str) -> int:
    """The bits that a list of names and numbers stands for."""
    bits = 0
    for item in sequence(value, key):
        if isinstance(item, str) and item.upper() in kind.__members__:
            bits |= int(kind[item.upper()])
        elif isinstance(item, str):
            raise DocumentError(f"{key}: {item!r} is none of {', '.join(kind.__members__)}")
        else:
            bits |= within(item, key, 0, 0xFFFF)
    return bits
