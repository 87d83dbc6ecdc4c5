"""Which tables a statement names, those at the outer level first: its title says the first."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.mysql.tokens import Token
from protocols.mysql.words import words

# After these words a table is named; the words of the second kind may stand between, those of the third begin a list.
_NAMING = words("FROM JOIN STRAIGHT_JOIN INTO TABLE REFERENCES UPDATE INSERT REPLACE")
_BETWEEN = words("IF NOT EXISTS LOW_PRIORITY IGNORE DELAYED HIGH_PRIORITY LATERAL RECURSIVE QUICK OR")
_LISTING = words("FROM UPDATE TABLE JOIN STRAIGHT_JOIN TABLES")
_IN_LIST = words("AS READ WRITE")
_QUERYING = words("SELECT DELETE SHOW")
_NO_TABLE_BEFORE_UPDATE = words("KEY FOR ON")

# The last word of a verb after which the statement's object is named, which may be no table.
_SUBJECTS = words(
    """
    CALL TABLES TRUNCATE DESCRIBE EXPLAIN HANDLER PROCEDURE FUNCTION VIEW TRIGGER EVENT DATABASE SCHEMA SEQUENCE
    """
)


def tables(items: Sequence[Token], verb: str) -> tuple[str, ...]:
    """The tables of a statement as it names them, each once."""
    found: list[tuple[int, str]] = []
    local = set()  # names that the statement itself gives: WITH
    querying = [False]  # by depth: whether FROM there is a clause, and not EXTRACT(YEAR FROM x)
    expecting, listing = False, -1
    subject = verb.rpartition(" ")[2]
    if subject not in _SUBJECTS:
        subject = ""
    index, size = 0, len(items)
    while index < size:
        sort, text = items[index]
        if text == "(":
            querying.append(False)
        elif text == ")":
            if len(querying) > 1:
                querying.pop()
            expecting = False
        elif text == "," and listing == len(querying):
            expecting = True
        elif subject and sort in ("w", "i") and (text.upper() == subject or (text == "DESC" and index == 0)):
            expecting, listing = True, len(querying) if subject == "TABLES" else -1
            subject = ""
        elif sort == "w":
            if text in _QUERYING:
                querying[-1] = True
            if text == "FROM":
                expecting = querying[-1]
            elif text == "UPDATE":
                expecting = index == 0 or items[index - 1].text not in _NO_TABLE_BEFORE_UPDATE
            elif text in _NAMING or (text == "ON" and verb.endswith("INDEX")):
                expecting = True
            elif text not in _BETWEEN:
                expecting = False
                listing = listing if text in _IN_LIST else -1
            if expecting and text in _LISTING:
                listing = len(querying)
        elif sort in ("i", "q"):
            end = index + 1
            while end + 1 < size and items[end].text == "." and items[end + 1].sort in ("i", "q"):
                end += 2
            if expecting and not (end < size and items[end].text == "(" and items[index - 1].text in ("FROM", ",")):
                found.append((len(querying), "".join([token.text.strip("`") for token in items[index:end]])))
            elif end + 1 < size and items[end].text == "AS" and items[end + 1].text == "(":
                local.add(text)
            expecting = False
            index = end
            continue
        else:
            expecting = False
        index += 1
    found.sort(key=lambda pair: pair[0])
    return tuple(dict.fromkeys(name for _, name in found if name not in local))
