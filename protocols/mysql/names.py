"""What the values of a statement are called: after the column that they are compared with or written to.

No parser: names are told from the tokens next to a value, which is enough for a person to know which one is meant, and
never fails. A value without a name is `value 3`, by its turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from protocols.mysql.tokens import Token

# Between a name and its value; everything else ends what the name was about.
_RELATING = frozenset("= <=> <> != < > <= >= := + - * / % | & ^ << >> -> ->>".split())
_RELATING_WORDS = frozenset(
    {"LIKE", "RLIKE", "REGEXP", "IN", "BETWEEN", "NOT", "DIV", "MOD", "BINARY", "SOUNDS", "ALL", "ANY"}
)
_INSERTING = frozenset({"INSERT", "REPLACE"})


def slot_names(items: Sequence[Token]) -> list[str]:
    """The name of each slot of a statement, all of them different."""
    found = _found(items)
    times = Counter(name for name in found if name)
    if all(count == 1 for count in times.values()):
        return [name or f"value {turn}" for turn, name in enumerate(found, 1)]
    seen: Counter[str] = Counter()
    names = []
    for turn, name in enumerate(found, 1):
        if not name:
            names.append(f"value {turn}")
        elif times[name] == 1:
            names.append(name)
        else:
            names.append(f"{name}[{seen[name]}]")
            seen[name] += 1
    return names


def _found(items: Sequence[Token]) -> list[str]:
    names: list[str] = []
    columns: list[str] = []  # of an INSERT
    inserting = in_values = listing = between = False
    depth = position = 0
    name = about = limit = ""  # the last name; what the next value belongs to; LIMIT or OFFSET
    for index, (sort, text) in enumerate(items):
        if sort == "?":
            if in_values and depth >= 1:
                names.append(columns[position] if position < len(columns) else "")
            elif limit:
                names.append(limit)
            else:
                names.append(about)
        elif sort == "w":
            if text in _RELATING_WORDS:
                about = name or about
                between = between or text == "BETWEEN"
            elif text == "AND" and between:
                between = False
            else:
                about = limit = ""
                if text in _INSERTING and not columns:
                    inserting = True
                elif inserting and text in ("VALUES", "VALUE") and depth == 0:
                    in_values, listing = True, False
                elif depth == 0 and text in ("ON", "SELECT", "SET", "WHERE"):
                    in_values = inserting = listing = False
                elif text in ("LIMIT", "OFFSET"):
                    limit = text
                elif text == "INTERVAL":
                    about = name
        elif sort in ("i", "q", "v"):
            if listing and depth == 1:
                columns.append(text.strip("`"))
            following = items[index + 1].text if index + 1 < len(items) else ""
            if following != "." and (following != "(" or sort != "i"):
                name, about = text.strip("`"), ""
        elif text == "(":
            depth += 1
            if inserting and not in_values and depth == 1 and not columns:
                listing = True
            if depth == 1:
                position = 0
        elif text == ")":
            depth = max(0, depth - 1)
            listing = False
            about = ""
        elif text == ",":
            if depth == 1:
                position += 1
            if limit:  # LIMIT 20, 10: the first was the offset
                names[-1:] = ["OFFSET"] * bool(names)
            elif depth == 0:
                about = ""
        elif text in _RELATING:
            about = name or about
        elif text == ";":
            columns, depth = [], 0
            inserting = in_values = listing = between = False
            name = about = limit = ""
    return names
