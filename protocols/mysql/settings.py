"""What a SET statement sets: variables of the session by name, with their values as SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from protocols.mysql.tokens import Token
from protocols.mysql.words import words

Piece = str | int  # SQL as it stands, or the turn of a slot whose value stands there
Setting = tuple[str, tuple[Piece, ...]]

_SESSION = frozenset({"session", "local"})
_BEYOND = frozenset({"global", "persist", "persist_only"})
_CONSTANTS = words("ON OFF SYSTEM DEFAULT NULL")  # written in capitals, however they came

Assignment = Sequence[tuple[Token, int]]  # tokens, each with the turn of the slot that it is, or would be


def settings(items: Sequence[Token]) -> tuple[tuple[Setting, ...], bool]:
    """The settings of a SET, and whether it sets anything beyond the session: user variables count, because later
    statements read them as they read tables."""
    found: list[Setting] = []
    beyond = False
    for part in _assignments(items):
        upper = [token.text.upper() for token, _ in part] + ["", "", ""]
        scope = upper[0] if upper[1] == "TRANSACTION" else ""
        if scope or upper[0] == "TRANSACTION" or _goes_on(upper):
            beyond = beyond or scope == "GLOBAL"
            found.extend(_of_transaction(upper))
        elif upper[0] == "NAMES":
            found.append(("names", _written(part[1:2])))
            if upper[2] == "COLLATE":
                found.append(("collation_connection", _written(part[3:4])))
        elif upper[0] == "CHARSET":
            found.append(("character_set", _written(part[1:])))
        elif upper[:2] == ["CHARACTER", "SET"]:
            found.append(("character_set", _written(part[2:])))
        elif upper[0] == "ROLE":
            found.append(("role", _written(part[1:])))
        elif upper[0].startswith("@") and not upper[0].startswith("@@"):
            beyond = True
        else:
            name, where, index = variable([token for token, _ in part], 0)
            if where in _BEYOND:
                beyond = True
            else:
                found.append((name, _written(part[index + 1 :])))
    return tuple(found), beyond


def variable(items: Sequence[Token], index: int) -> tuple[str, str, int]:
    """Of `@@session.x`, `SESSION x` and `x`: the name, the scope, and where the statement goes on."""
    name = items[index].text.lstrip("@").strip("`").lower()
    index += 1
    if name not in _SESSION | _BEYOND:
        return name, "", index
    if index < len(items) and items[index].text == ".":
        index += 1
    if index == len(items):
        return name, "", index
    return items[index].text.strip("`").lower(), name, index + 1


def _goes_on(upper: Sequence[str]) -> bool:
    """`SET TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE`: the part behind the comma."""
    return (upper[0], upper[1]) in (("READ", "ONLY"), ("READ", "WRITE"), ("ISOLATION", "LEVEL"))


def _of_transaction(upper: Sequence[str]) -> list[Setting]:
    start = upper.index("TRANSACTION") + 1 if "TRANSACTION" in upper else 0
    match upper[start : start + 4]:
        case ["ISOLATION", "LEVEL", *level]:
            return [("transaction_isolation", ("-".join(word for word in level if word),))]
        case ["READ", access, *_]:
            return [("transaction_read_only", ("1" if access == "ONLY" else "0",))]
    return []


def _assignments(items: Sequence[Token]) -> Iterator[Assignment]:
    """The parts between the commas."""
    part: list[tuple[Token, int]] = []
    depth = slot = 0
    for token in items:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 0:
            if part:
                yield part
            part = []
        else:
            part.append((token, slot))
            slot += token.sort == "?"
    if part:
        yield part


def _written(part: Assignment) -> tuple[Piece, ...]:
    return tuple(
        slot if sort == "?" else text.upper() if text.upper() in _CONSTANTS else text for (sort, text), slot in part
    )
