"""What the values of a statement are called: after the column that they are compared with or written to.

No parser: names are told from the tokens next to a value, which is enough for a person to know which one is meant, and
never fails. A value without a name is `value 3`, by its turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from protocols.mysql.tokens import Token
from protocols.mysql.words import words

# Between a name and its value.
_RELATING = words("= <=> <> != < > <= >= := + - * / % | & ^ << >> -> ->>")
_RELATING_WORDS = words("LIKE RLIKE REGEXP IN BETWEEN NOT DIV MOD BINARY ALL ANY INTERVAL")
_INSERTING = words("INSERT REPLACE")
_AFTER_ROWS = words("ON SELECT SET WHERE")


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
    inserting = in_rows = listing = between = False
    depth = position = 0
    name = about = limit = ""  # the last name; what the next value belongs to; LIMIT or OFFSET
    for index, (sort, text) in enumerate(items):
        following = items[index + 1].text if index + 1 < len(items) else ""
        if sort == "?":
            if in_rows and depth >= 1:
                names.append(columns[position] if position < len(columns) else "")
            else:
                names.append(limit or about)
        elif sort == "w":
            if text in _RELATING_WORDS:
                about = name or about
                between = between or text == "BETWEEN"
            elif text == "AND" and between:
                between = False
            elif text == "COLLATE":
                about = ""
            else:
                name = about = limit = ""
                if text in _INSERTING and depth == 0:
                    inserting, columns = True, []
                elif inserting and text in ("VALUES", "VALUE") and depth == 0:
                    in_rows = True
                elif depth == 0 and text in _AFTER_ROWS:
                    inserting = in_rows = listing = False
                elif text in ("LIMIT", "OFFSET"):
                    limit = text
        elif sort in ("i", "q", "v"):
            if listing and depth == 1:
                columns.append(text.strip("`"))
            if text == "AGAINST":
                about = name
            elif following not in (".", "(") and items[index - 1].text != "COLLATE":
                name, about = text.strip("`"), ""
        elif text == "(":
            depth += 1
            listing = inserting and not in_rows and depth == 1 and not columns
            position = position if depth > 1 else 0
        elif text == ")":
            depth = max(0, depth - 1)
            listing = False
            about = limit = ""
        elif text == ",":
            position += depth == 1
            if limit and names:  # LIMIT 20, 10: the first was the offset
                names[-1] = "OFFSET"
            about = about if depth else ""
        elif text in _RELATING:
            about = name or about
        elif text == ";":
            columns, depth = [], 0
            inserting = in_rows = listing = between = False
            name = about = limit = ""
    return names
