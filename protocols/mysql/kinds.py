"""What sort of statement it is: what it does, to which tables, and which settings of the session it changes.

Told from the words at the front and at the outer level, as the manual's grammar has them; a statement that is not known
here counts as one that changes something.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from protocols.mysql.about_server import reads_session, shows_settings
from protocols.mysql.settings import Setting, settings
from protocols.mysql.tables import tables
from protocols.mysql.tokens import Token
from protocols.mysql.words import words


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


class Outline(NamedTuple):
    """What a statement is, without its values."""

    kind: Kind
    verb: str
    tables: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    standing: bool = False


_READS = words("SELECT SHOW DESCRIBE DESC EXPLAIN TABLE VALUES HELP HANDLER CHECKSUM PREPARE DEALLOCATE")
_DDL = words(
    """
    CREATE ALTER DROP RENAME TRUNCATE GRANT REVOKE ANALYZE OPTIMIZE REPAIR CHECK INSTALL UNINSTALL FLUSH RESET CACHE
    LOCK UNLOCK
    """
)
_OBJECTS = words(
    "TABLE TABLES VIEW INDEX DATABASE SCHEMA PROCEDURE FUNCTION TRIGGER EVENT USER ROLE SEQUENCE SERVER TABLESPACE"
)
_ROUTINES = words("PROCEDURE FUNCTION TRIGGER EVENT PACKAGE")
_ACTIONS = words("SELECT INSERT UPDATE DELETE REPLACE TABLE VALUES")
_SHOW_WHICH = words("FULL SESSION GLOBAL LOCAL EXTENDED STORAGE")


def is_routine(items: Sequence[Token]) -> bool:
    """Whether this is the definition of a stored program, with statements of its own in it."""
    if not items or items[0].text != "CREATE":
        return False
    for sort, text in items[1:24]:
        if sort in ("w", "i") and text.upper() in _ROUTINES:
            return True
        if text in ("TABLE", "(", ";"):
            return False
    return False


def outline(items: Sequence[Token]) -> Outline:
    """What one statement is; `items` has no semicolon that ends it."""
    start = next((index for index, (sort, text) in enumerate(items) if text != "(" and sort != "!"), len(items))
    if start == len(items) and items and items[0].sort == "!":
        return _commented(items[0].text)
    items = items[start:]
    if not items:
        return Outline(Kind.READ, "")
    first = items[0].text
    front = [text.upper() if sort in ("w", "i") else text for sort, text in items[:8]] + [""] * 8
    if first == "SET":
        return _set(items, front)
    if first in ("BEGIN", "START"):
        if front[1] == "TRANSACTION" or (first == "BEGIN" and front[1] in ("", "WORK")):
            return Outline(Kind.BEGIN, "START TRANSACTION" if first == "START" else "BEGIN")
        return Outline(Kind.WRITE, first)
    if first == "COMMIT":
        return Outline(Kind.COMMIT, "COMMIT")
    if first == "ROLLBACK":
        return Outline(Kind.SAVEPOINT if "TO" in front[1:3] else Kind.ROLLBACK, "ROLLBACK")
    if first == "SAVEPOINT" or (first == "RELEASE" and front[1] == "SAVEPOINT"):
        return Outline(Kind.SAVEPOINT, "SAVEPOINT" if first == "SAVEPOINT" else "RELEASE SAVEPOINT")
    if first == "USE":
        return Outline(Kind.USE, "USE", (items[1].text.strip("`"),) if len(items) > 1 else ())
    if first == "XA":
        return Outline(Kind.READ if front[1] == "RECOVER" else Kind.WRITE, f"XA {front[1]}".strip())
    if first == "WITH":
        return _with(items)
    return _ordinary(items, first, front)


def _ordinary(items: Sequence[Token], first: str, front: Sequence[str]) -> Outline:
    kind = Kind.READ if first in _READS else Kind.DDL if first in _DDL else Kind.WRITE
    verb, standing = first, False
    if first == "SELECT":
        kind = Kind.WRITE if _writes_file(items) else Kind.READ
        standing = kind is Kind.READ and reads_session(items)
    elif first in ("CREATE", "ALTER", "DROP", "RENAME"):
        found = next((word for word in front[1:] if word in _OBJECTS), "")
        verb = f"{first} {found}".strip()
        kind = Kind.READ if front[1] == "PREPARE" else kind  # DROP PREPARE: DEALLOCATE
    elif first in ("LOCK", "UNLOCK", "LOAD"):
        verb = f"{first} {front[1]}".strip()
    elif first == "SHOW":
        which = next((word for word in front[1:] if word not in _SHOW_WHICH), "")
        verb = f"SHOW {which}".strip()
        standing = shows_settings(which)
    elif first == "ANALYZE":  # MariaDB: runs the statement, and explains it
        inner = next((word for word in front[1:] if word in _ACTIONS), "TABLE")
        kind = Kind.DDL if inner == "TABLE" else Kind.READ if inner in _READS else Kind.WRITE
    elif first == "DESC":
        verb = "DESCRIBE"
    return Outline(kind, verb, tables(items, verb), standing=standing)


def _set(items: Sequence[Token], front: Sequence[str]) -> Outline:
    if front[1] == "STATEMENT":  # MariaDB: variables for the one statement behind FOR
        start = next((index for index, (_, text) in enumerate(items) if text == "FOR"), len(items) - 1)
        rest = items[start + 1 :]
        return outline(rest)._replace(standing=False) if rest and rest[0].text != "SET" else Outline(Kind.WRITE, "SET")
    if front[1] in ("PASSWORD", "DEFAULT"):
        return Outline(Kind.DDL, f"SET {front[1]}")
    found, beyond = settings(items[1:])
    return Outline(Kind.WRITE if beyond else Kind.SESSION, "SET", settings=found)


def _with(items: Sequence[Token]) -> Outline:
    """What comes after the queries that WITH gives names to."""
    depth = 0
    for sort, text in items:
        depth += (text == "(") - (text == ")")
        if depth == 0 and sort == "w" and text in _ACTIONS:
            kind = Kind.READ if text in _READS and not _writes_file(items) else Kind.WRITE
            return Outline(kind, text, tables(items, text))
    return Outline(Kind.READ, "SELECT", tables(items, "SELECT"))


def _commented(text: str) -> Outline:
    """A statement in a comment that the server reads, as mysqldump writes them: `/*!40101 SET ... */`."""
    inner = text.lstrip("/*M!0123456789 \t\r\n").partition("*/")[0].split(maxsplit=1)
    verb = inner[0].upper() if inner else ""
    return Outline(Kind.READ if verb in _READS or not verb else Kind.DDL if verb in _DDL else Kind.WRITE, verb)


def _writes_file(items: Sequence[Token]) -> bool:
    return any(one.text == "INTO" and two.text in ("OUTFILE", "DUMPFILE") for one, two in pairwise(items))
