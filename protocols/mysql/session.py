"""What a connection's statements have made of it: database, settings, transaction. The same at record and at replay.

A statement means what its session makes it mean, so `session` is a part of every request's key; and what only changes
the session is chatter: it needs no recording of its own, because its effect is in the keys of all that follow.

In a transaction or not: the statements tell, and after a write the server's status flags correct them, because only the
server knows that a procedure committed, or that a table knows no transactions. The flags of a read count for little: at
replay one recording of a read may answer within a transaction and without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from protocols.mysql.charsets import codec_of_charset, codec_of_collation
from protocols.mysql.messages import Err, Ok, Result, ResultSet, Session
from protocols.mysql.statement import Kind, Statement, parse_in

IN_TRANS = 0x0001  # SERVER_STATUS_IN_TRANS
AUTOCOMMIT = 0x0002  # SERVER_STATUS_AUTOCOMMIT

_DEADLOCK = 1213  # the one error by which a server ends a whole transaction
_CHATTER = frozenset((Kind.SESSION, Kind.USE, Kind.BEGIN, Kind.SAVEPOINT))
_TRANSACTION_ENDS = frozenset((Kind.COMMIT, Kind.ROLLBACK))
_NO_COMMIT = frozenset(("INSERT", "UPDATE", "DELETE", "REPLACE"))  # what commits no transaction, whatever happens

# Settings by which no statement means anything else.
_MEANS_NOTHING = frozenset(("autocommit", "tx_isolation", "tx_read_only", "profiling"))
_MEANS_NOTHING_BEGIN = ("transaction", "net_", "profiling_", "debug")
_MEANS_NOTHING_END = ("_timeout",)
_ON_ANYWAY = frozenset(("foreign_key_checks", "unique_checks"))  # who sets them off sets them on again
_NAMES = frozenset(("names", "character set", "charset", "character_set"))
_CHARSETS = ("character_set_", "collation_")
_OF_SQL = _NAMES | {"character_set_client"}  # in which character set the client's SQL is written
_ON = frozenset(("1", "on", "true", "default"))
_OFF = frozenset(("0", "off", "false"))
_DEFAULT = "default"

# What is remembered at most; what comes beyond it counts for nothing, at record and at replay.
_MOST_WRITES, _LONGEST_TITLE = 16_384, 256  # of one transaction
_MOST_SETTINGS = 1024
_MOST_CHARACTERS = 1 << 20  # of all settings

_READ_VARIABLE = re.compile(r"@@(?:(?:session|local)\.)?(\w+)", re.IGNORECASE)
_SAME = {"tx_isolation": "transaction_isolation", "tx_read_only": "transaction_read_only"}  # what it was called before


class SessionState:
    """The session of one connection. Statements are told with `after`, when their answer is known."""

    __slots__ = (
        "_begun",
        "_changed",
        "_login_charset",
        "_session",
        "_whole",
        "autocommit",
        "charset",
        "database",
        "in_transaction",
        "settings",
        "writes",
    )

    def __init__(self, database: str = "", *, collation: int = 255, autocommit: bool = True) -> None:
        """As a login leaves it. `collation`: the character set of the client's handshake response. `autocommit`: a flag
        of the OK that ended the login."""
        self._login_charset = codec_of_collation(collation)
        self.database = database
        self.autocommit = autocommit
        self._clear()

    def _clear(self) -> None:
        self.settings: dict[str, str] = {}
        self.charset = self._login_charset  # the codec of the client's SQL
        self.in_transaction = False
        self._begun = False  # by a statement, and not only because autocommit is off
        self.writes: list[str] = []  # titles of the writes since the transaction began
        self._session: Session | None = None
        self._whole: Session | None = None

    # -- what is asked of it --------------------------------------------------------------------------------------

    def session(self) -> Session:
        """What of it counts: the settings by which a statement may mean something else."""
        if self._session is None:
            counting = sorted((name, value) for name, value in self.settings.items() if _counts(name, value))
            self._session = Session(database=self.database, settings=tuple(counting))
        return self._session

    def whole(self) -> Session:
        """All settings, also those that count for no key."""
        if self._whole is None:
            self._whole = Session(database=self.database, settings=tuple(sorted(self.settings.items())))
        return self._whole

    def session_of(self, statement: Statement) -> Session:
        """What of it counts for `statement`: for a read of settings, also those that mean nothing to any other."""
        plain = self.session()
        if not statement.standing or (self.autocommit and len(plain.settings) == len(self.settings)):
            return plain
        read = {name.lower() for name in _READ_VARIABLE.findall(statement.skeleton)}
        read |= {_SAME.get(name, name) for name in read}
        told = {name: value for name, value in self.settings.items() if _SAME.get(name, name) in read}
        if "autocommit" in read and not self.autocommit:
            told["autocommit"] = "0"
        if not told:
            return plain
        return Session(database=plain.database, settings=tuple(sorted({**dict(plain.settings), **told}.items())))

    def parse(self, sql: str) -> Statement:
        """What is said in this session, in which quotes and backslashes may mean something else."""
        return parse_in(sql, self.settings.get("sql_mode", ""))

    def is_chatter(self, statement: Statement) -> bool:
        """Whether a statement needs no recording when it is answered by a plain OK."""
        kind = statement.kind
        return kind in _CHATTER or (kind in _TRANSACTION_ENDS and not self.writes)

    @property
    def status(self) -> int:
        """The server's status flags, as far as they are about the session."""
        return (IN_TRANS if self.in_transaction else 0) | (AUTOCOMMIT if self.autocommit else 0)

    # -- what happens to it ---------------------------------------------------------------------------------------

    def after(self, statement: Statement, results: Sequence[Result] = (), *, replayed: bool = False) -> None:
        """A statement was answered. Without `results`: as it is to be expected, by an OK.

        `replayed`: the results come from a recording, perhaps of a session with another autocommit. ROLLBACK TO
        SAVEPOINT keeps the titles of the writes that it undoes: they were made, and were sent.
        """
        last = results[-1] if results else None
        kind, status = statement.kind, _status(last)
        if isinstance(last, Err):
            if last.code == _DEADLOCK:
                self._end(begun=False)
            if len(results) == 1:
                return
        if statement.settings:
            self._set(statement.settings)
        if statement.several:
            self._each(statement, status)
        elif kind is Kind.READ:
            if not self.autocommit and (status is None or status & IN_TRANS):
                self.in_transaction = True
        elif kind is Kind.BEGIN:
            self._end(begun=True)
        elif kind in _TRANSACTION_ENDS:
            self._end(begun=self._chains(statement))
        elif kind is Kind.USE:
            self.use(statement.tables[0] if statement.tables else "")
        elif statement.is_effect:
            self._wrote(statement, status, alone=len(results) == 1)
        if status is not None and not replayed:
            self.autocommit = bool(status & AUTOCOMMIT)

    def use(self, database: str) -> None:
        """USE, or COM_INIT_DB."""
        self.database = database
        self._session = self._whole = None

    def reset(self) -> None:
        """COM_RESET_CONNECTION: as after the login, in the same database."""
        self.autocommit = True
        self._clear()

    def change_user(self, database: str, *, collation: int | None = None) -> None:
        """COM_CHANGE_USER: as after another login."""
        if collation is not None:
            self._login_charset = codec_of_collation(collation)
        self.database = database
        self.reset()

    # -- as JSON --------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        return {
            "database": self.database,
            "settings": dict(self.settings),
            "autocommit": self.autocommit,
            "in_transaction": self.in_transaction,
            "begun": self._begun,
            "writes": list(self.writes),
            "charset": self.charset,
            "login_charset": self._login_charset,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> SessionState:
        made = cls(state["database"], autocommit=state["autocommit"])
        made.settings = dict(state["settings"])
        made.in_transaction = state["in_transaction"]
        made._begun = state["begun"]
        made.writes = list(state["writes"])
        made.charset = state["charset"]
        made._login_charset = state["login_charset"]
        return made

    # -- within ---------------------------------------------------------------------------------------------------

    def _end(self, *, begun: bool) -> None:
        self.in_transaction = self._begun = begun
        self.writes = []

    def _wrote(self, statement: Statement, status: int | None, *, alone: bool) -> None:
        told = None if status is None else bool(status & IN_TRANS)
        if statement.kind is Kind.DDL:
            if not told:  # it commits what was before it; a temporary table does not
                self._end(begun=False)
            return
        if told or not self.autocommit:
            self.in_transaction = True
        if self.in_transaction:
            self._remember(statement.title)
        sure = self._begun and alone and statement.verb in _NO_COMMIT
        if told is False and self.in_transaction and not sure:
            self._end(begun=False)

    def _remember(self, title: str) -> None:
        if len(self.writes) < _MOST_WRITES:
            self.writes.append(title[:_LONGEST_TITLE])

    def _each(self, statement: Statement, status: int | None) -> None:
        """`a; b`: one after the other, as it is to be expected; the last answer's flags have the last word."""
        for one in statement.several:
            if one.kind is Kind.BEGIN:
                self._end(begun=True)
            elif one.kind in _TRANSACTION_ENDS or one.kind is Kind.DDL:
                self._end(begun=False)
            elif one.kind is Kind.USE:
                self.use(one.tables[0] if one.tables else "")
            elif one.kind is Kind.WRITE:
                self.in_transaction = self.in_transaction or not self.autocommit
                if self.in_transaction:
                    self._remember(" ".join((one.verb, *one.tables[:1])))
        if status is not None and self.in_transaction and not status & IN_TRANS:
            self._end(begun=False)

    def _chains(self, statement: Statement) -> bool:
        """COMMIT AND CHAIN begins the next transaction at once."""
        words = statement.skeleton.upper()
        if "CHAIN" in words:
            return "NO CHAIN" not in words
        return self.settings.get("completion_type", "").strip("'\"").lower() in ("1", "chain")

    def _set(self, settings: Sequence[tuple[str, str]]) -> None:
        for name, value in settings:
            plain = value.strip("'\"`").lower()
            if name == "autocommit":
                if plain in _ON and not self.autocommit:
                    self._end(begun=False)
                if plain in _ON or plain in _OFF:
                    self.autocommit = plain in _ON
            elif plain == _DEFAULT:
                self.settings.pop(name, None)
            elif self._has_room(name, value):
                self.settings[name] = value
            if name in _OF_SQL:
                self.charset = self._login_charset if plain == _DEFAULT else codec_of_charset(_first_word(plain))
        self._session = self._whole = None

    def _has_room(self, name: str, value: str) -> bool:
        others = [len(other) + len(known) for other, known in self.settings.items() if other != name]
        return len(others) < _MOST_SETTINGS and sum(others) + len(name) + len(value) <= _MOST_CHARACTERS


def _counts(name: str, value: str) -> bool:
    if name in _NAMES or name.startswith(_CHARSETS):
        return not _first_word(value).lower().startswith("utf8") and value.strip("'\"").lower() != "null"
    if name in _ON_ANYWAY and value.strip("'\"").lower() in _ON:
        return False
    return not (name in _MEANS_NOTHING or name.startswith(_MEANS_NOTHING_BEGIN) or name.endswith(_MEANS_NOTHING_END))


def _first_word(value: str) -> str:
    """Of `'utf8mb4' COLLATE 'utf8mb4_bin'`: the character set."""
    words = value.split(maxsplit=1)
    return words[0].strip("'\"`") if words else ""


def _status(result: Result | None) -> int | None:
    if isinstance(result, Ok):
        return result.status
    if isinstance(result, ResultSet) and result.complete and result.error is None:
        return result.status
    return None
