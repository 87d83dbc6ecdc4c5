"""What sort of statement it is: what it does, to which tables, and which settings of the session it changes.

Told from the words at the front and at the outer level, as the manual's grammar has them; a statement that is not known
here counts as one that changes something.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from protocols.mysql.tokens import Token


class Kind(StrEnum):
    """What a statement does."""

    READ = "read"
    WRITE = "write"
    DDL = "ddl"  # a write that commits what came before it
    SESSION = "session"  # settings of this connection
    USE = "use"
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SAVEPOINT = "savepoint"  # also back to one, and its release


EFFECTS = frozenset({Kind.WRITE, Kind.DDL})

Setting = tuple[str, tuple[str | int, ...]]  # name; its value as SQL, in which a number stands for a slot


class Outline(NamedTuple):
    """What a statement is, without its values."""

    kind: Kind
    verb: str
    tables: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    standing: bool = False


_READS = frozenset(
    {
        "SELECT",
        "SHOW",
        "DESCRIBE",
        "DESC",
        "EXPLAIN",
        "TABLE",
        "VALUES",
        "HELP",
        "HANDLER",
        "CHECKSUM",
        "PREPARE",
        "DEALLOCATE",
    }
)
_DDL = frozenset(
    {
        "CREATE",
        "ALTER",
        "DROP",
        "RENAME",
        "TRUNCATE",
        "GRANT",
        "REVOKE",
        "ANALYZE",
        "OPTIMIZE",
        "REPAIR",
        "CHECK",
        "INSTALL",
        "UNINSTALL",
        "FLUSH",
        "RESET",
        "CACHE",
        "LOCK",
        "UNLOCK",
    }
)
_OBJECTS = frozenset(
    "TABLE TABLES VIEW INDEX DATABASE SCHEMA PROCEDURE FUNCTION TRIGGER EVENT USER ROLE SEQUENCE SERVER TABLESPACE".split()
)
_ROUTINES = frozenset({"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"})
_ACTIONS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "TABLE", "VALUES"})


def is_routine(items: Sequence[Token]) -> bool:
    """Whether this is the definition of a stored program, with statements of its own in it."""
    if not items or items[0].text != "CREATE":
        return False
    return any(text.upper() in _ROUTINES for sort, text in items[1:16] if sort in ("w", "i"))


def outline(items: Sequence[Token]) -> Outline:
    """What one statement is; `items` has no semicolon that ends it."""
    while items and items[0].text == "(":
        items = items[1:]
    if not items:
        return Outline(Kind.READ, "")
    first = items[0].text
    words = [text.upper() if sort in ("w", "i") else text for sort, text in items[:8]] + [""] * 8
    if items[0].sort == "!":
        return _commented(items)
    if first == "SET":
        return _set(items)
    if first in ("BEGIN", "START"):
        if words[1] == "TRANSACTION" or (first == "BEGIN" and words[1] in ("", "WORK")):
            return Outline(Kind.BEGIN, "START TRANSACTION" if first == "START" else "BEGIN")
        return Outline(Kind.WRITE, first)
    if first == "COMMIT":
        return Outline(Kind.COMMIT, "COMMIT")
    if first == "ROLLBACK":
        return Outline(Kind.SAVEPOINT if "TO" in words[1:3] else Kind.ROLLBACK, "ROLLBACK")
    if first == "SAVEPOINT" or (first == "RELEASE" and words[1] == "SAVEPOINT"):
        return Outline(Kind.SAVEPOINT, "SAVEPOINT" if first == "SAVEPOINT" else "RELEASE SAVEPOINT")
    if first == "USE":
        return Outline(Kind.USE, "USE", _name_at(items, 1))
    if first == "XA":
        return Outline(Kind.READ if words[1] == "RECOVER" else Kind.WRITE, f"XA {words[1]}".strip())
    if first == "WITH":
        return _with(items)
    return _ordinary(items, first, words)


def _ordinary(items: Sequence[Token], first: str, words: Sequence[str]) -> Outline:
    kind = Kind.READ if first in _READS else Kind.DDL if first in _DDL else Kind.WRITE
    verb = first
    if first in ("CREATE", "ALTER", "DROP", "RENAME"):
        found = next((word for word in words[1:] if word in _OBJECTS), "")
        verb = f"{first} {found}".strip()
    elif first in ("LOCK", "UNLOCK", "LOAD"):
        verb = f"{first} {words[1]}".strip()
    elif first == "SHOW":
        verb = f"SHOW {next((word for word in words[1:] if word not in ('FULL', 'SESSION', 'GLOBAL', 'EXTENDED')), '')}".strip()
    elif first == "ANALYZE":  # MariaDB: runs the statement and explains it
        inner = next((word for word in words[1:] if word in _ACTIONS and word != "TABLE"), "")
        kind = Kind.DDL if not inner else Kind.READ if inner in _READS else Kind.WRITE
    elif first == "DESC":
        verb = "DESCRIBE"
    elif first == "SELECT" and _writes_file(items):
        kind = Kind.WRITE
    standing = (first == "SELECT" and kind is Kind.READ and _about_session(items)) or (
        first == "SHOW" and _shows_settings(words)
    )
    return Outline(kind, verb, tables(items, verb), standing=standing)


def _commented(items: Sequence[Token]) -> Outline:
    """A statement that begins with `/*!40101 SET ... */`: known by what stands in there."""
    inner = items[0].text.lstrip("/*M!0123456789 \t\r\n").partition("*/")[0].split()
    if len(items) > 1:
        rest = outline(items[1:])
        return rest if rest.kind is not Kind.READ or not inner else rest
    verb = inner[0].upper() if inner else ""
    return Outline(Kind.READ if verb in _READS or not verb else Kind.DDL if verb in _DDL else Kind.WRITE, verb)


def _with(items: Sequence[Token]) -> Outline:
    depth = 0
    for sort, text in items:
        depth += (text == "(") - (text == ")")
        if depth == 0 and sort == "w" and text in _ACTIONS:
            kind = Kind.READ if text in _READS and not _writes_file(items) else Kind.WRITE
            return Outline(kind, text, tables(items, text))
    return Outline(Kind.READ, "SELECT", tables(items, "SELECT"))


def _writes_file(items: Sequence[Token]) -> bool:
    return any(
        text == "INTO" and items[index + 1].text in ("OUTFILE", "DUMPFILE")
        for index, (_, text) in enumerate(items[:-1])
    )


# -- what is read of the session and the server alone ---------------------------------------------------------------

_CHANGING = frozenset(
    "last_insert_id identity warning_count error_count timestamp insert_id pseudo_thread_id rand_seed1 rand_seed2 "
    "in_transaction gtid_executed gtid_current_pos gtid_binlog_pos last_gtid statement_id proxy_user".split()
)
_CONSTANT_FUNCTIONS = frozenset(
    "VERSION DATABASE SCHEMA USER CURRENT_USER SESSION_USER SYSTEM_USER CAST CONVERT CHAR".split()
)
_CONSTANT_WORDS = frozenset(
    "SELECT AS CAST CONVERT CHAR COLLATE USING LIMIT DATABASE SCHEMA CURRENT_USER FROM DUAL BINARY".split()
)
_SHOWN = frozenset({"VARIABLES", "COLLATION", "CHARSET", "CHARACTER", "ENGINES", "PLUGINS", "PRIVILEGES", "STATUS"})


def _about_session(items: Sequence[Token]) -> bool:
    for index, (sort, text) in enumerate(items):
        following = items[index + 1].text if index + 1 < len(items) else ""
        if sort == "w":
            if text not in _CONSTANT_WORDS or (text == "FROM" and following != "DUAL"):
                return False
        elif sort == "v":
            if not text.startswith("@@") or _variable(items, index)[0] in _CHANGING:
                return False
        elif sort in ("i", "q"):
            if following == "(":
                if text not in _CONSTANT_FUNCTIONS:
                    return False
            elif items[index - 1].text not in ("AS", ".", "COLLATE", "USING", ")", "?") and items[
                index - 1
            ].sort not in ("v", "i"):
                return False
        elif sort == "o" and text not in (",", "(", ")", ".", "+"):
            return False
    return True


def _shows_settings(words: Sequence[str]) -> bool:
    return words[2 if words[1] in ("SESSION", "GLOBAL", "LOCAL", "STORAGE") else 1] in _SHOWN


# -- SET --------------------------------------------------------------------------------------------------------------

_SCOPES = frozenset({"session", "local"})
_BEYOND = frozenset({"global", "persist", "persist_only"})


def _variable(items: Sequence[Token], index: int) -> tuple[str, str, int]:
    """Of `@@session.x`, `SESSION x`, `x`: name, scope, and the index of what comes after it."""
    name, scope = items[index].text.lstrip("@").strip("`").lower(), ""
    index += 1
    if name in _SCOPES | _BEYOND:
        if index < len(items) and items[index].text == ".":
            index += 1
        if index < len(items):
            scope, name = name, items[index].text.strip("`").lower()
            index += 1
    return name, scope, index


def _set(items: Sequence[Token]) -> Outline:
    settings: list[Setting] = []
    kind = Kind.SESSION
    for part, slots in _assignments(items[1:]):
        if not part:
            continue
        words = [text.upper() for _, text in part] + ["", "", ""]
        scoped = words[0] in ("SESSION", "LOCAL", "GLOBAL")
        if words[0] == "STATEMENT":  # MariaDB: for the statement that follows
            start = next((i for i, (_, text) in enumerate(items) if text == "FOR"), len(items) - 1)
            return outline(items[start + 1 :])._replace(standing=False)
        if words[0] in ("PASSWORD", "DEFAULT", "RESOURCE"):
            return Outline(Kind.DDL, f"SET {words[0]}")
        if words[scoped] == "TRANSACTION":
            if words[0] == "GLOBAL":
                kind = Kind.WRITE
            settings.extend(_transaction(words[scoped + 1 :]))
        elif words[0] == "NAMES":
            settings.append(("names", _written(part[1:2], slots)))
            if words[2] == "COLLATE":
                settings.append(("collation_connection", _written(part[3:4], slots[slots_in(part[:3]) :])))
        elif words[0] in ("CHARSET", "CHARACTER"):
            settings.append(("character_set", _written(part[1 if words[0] == "CHARSET" else 2 :], slots)))
        elif words[0] == "ROLE":
            settings.append(("role", _written(part[1:], slots)))
        elif part[0].sort == "v" and not part[0].text.startswith("@@"):
            kind = Kind.WRITE
        else:
            name, scope, index = _variable(part, 0)
            if scope in _BEYOND:
                kind = Kind.WRITE
            elif _is_transaction(words):
                settings.extend(_transaction(words))
            else:
                settings.append((name, _written(part[index + 1 :], slots)))
    return Outline(kind, "SET", settings=tuple(settings))


def slots_in(items: Sequence[Token]) -> int:
    return sum(sort == "?" for sort, _ in items)


def _is_transaction(words: Sequence[str]) -> bool:
    """`SET TRANSACTION READ ONLY, ISOLATION LEVEL ...`: what follows the first comma."""
    return (words[0], words[1]) in (("READ", "ONLY"), ("READ", "WRITE"), ("ISOLATION", "LEVEL"))


def _transaction(words: Sequence[str]) -> list[Setting]:
    if words[:2] == ["ISOLATION", "LEVEL"]:
        return [("transaction_isolation", (" ".join(word for word in words[2:4] if word),))]
    if words[0] == "READ":
        return [("transaction_read_only", ("1" if words[1] == "ONLY" else "0",))]
    return []


def _assignments(items: Sequence[Token]) -> list[tuple[list[Token], list[int]]]:
    """The parts between the commas, and the slots in each."""
    parts: list[tuple[list[Token], list[int]]] = [([], [])]
    depth = slot = 0
    for item in items:
        depth += (item.text == "(") - (item.text == ")")
        if item.text == "," and depth == 0:
            parts.append(([], []))
            continue
        parts[-1][0].append(item)
        if item.sort == "?":
            parts[-1][1].append(slot)
            slot += 1
    return parts


def _written(items: Sequence[Token], slots: Sequence[int]) -> tuple[str | int, ...]:
    """A value as SQL text, with the numbers of its slots in it."""
    turns = iter(slots)
    found: list[str | int] = []
    for sort, text in items:
        if sort == "?":
            found.append(next(turns, 0))
        else:
            found.append(text.upper() if text.upper() in ("ON", "OFF", "SYSTEM", "DEFAULT") else text)
    return tuple(found)


# -- tables -----------------------------------------------------------------------------------------------------------

_NAMING = frozenset(
    {"FROM", "JOIN", "STRAIGHT_JOIN", "INTO", "TABLE", "TABLES", "REFERENCES", "UPDATE", "INSERT", "REPLACE"}
)
_PASSING = frozenset(
    {"IF", "NOT", "EXISTS", "LOW_PRIORITY", "IGNORE", "DELAYED", "HIGH_PRIORITY", "LATERAL", "RECURSIVE", "QUICK"}
)
_SUBJECTS = frozenset(
    "CALL TABLES TRUNCATE DESCRIBE DESC EXPLAIN HANDLER PROCEDURE FUNCTION VIEW TRIGGER EVENT DATABASE SCHEMA SEQUENCE".split()
)
_LISTING = frozenset({"FROM", "UPDATE", "TABLE", "TABLES", "JOIN", "STRAIGHT_JOIN"})


def tables(items: Sequence[Token], verb: str) -> tuple[str, ...]:
    """The tables of a statement as it names them, those at the outer level first."""
    found: list[tuple[int, str]] = []
    local = set()  # names that the statement itself gives: WITH
    querying = [False]  # by depth: whether FROM there is a clause, and not EXTRACT(YEAR FROM x)
    expecting, listing = False, -1
    subject = verb.rpartition(" ")[2] if verb.rpartition(" ")[2] in _SUBJECTS else ""
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
        elif sort == "w" or (subject and sort == "i" and text.upper() == subject):
            before = items[index - 1].text if index else ""
            if text in ("SELECT", "DELETE", "SHOW"):
                querying[-1] = True
            if text.upper() == subject:
                expecting, subject = True, ""
            elif text == "FROM":
                expecting = querying[-1]
            elif text == "UPDATE":
                expecting = before not in ("KEY", "FOR", "ON")
            elif text == "ON" and verb.endswith("INDEX"):
                expecting = True
            elif text in _NAMING:
                expecting = True
            elif text not in _PASSING:
                expecting = False
                listing = -1 if text not in ("AS", "READ", "WRITE") else listing
            if expecting and text in _LISTING:
                listing = len(querying)
        elif sort in ("i", "q"):
            end = index + 1
            while end + 1 < size and items[end].text == "." and items[end + 1].sort in ("i", "q", "w"):
                end += 2
            if expecting:
                found.append((len(querying), "".join(item.text.strip("`") for item in items[index:end])))
                expecting = False
            elif end + 1 < size and items[end].text == "AS" and items[end + 1].text == "(":
                local.add(text)
            index = end
            continue
        elif expecting and text != ".":
            expecting = False
        index += 1
    found.sort(key=lambda pair: pair[0])
    return tuple(dict.fromkeys(name for _, name in found if name not in local))


def _name_at(items: Sequence[Token], index: int) -> tuple[str, ...]:
    return (items[index].text.strip("`"),) if index < len(items) else ()
