"""Commands that are known by their bytes: what a mock server answers without asking which mock it is.

Drivers say the same again and again, in the same bytes. A read that was answered once, by a mock that always answers
so, is remembered with all that its answer depended on: what was agreed on at the login, the session, and the statement
that was prepared. Whatever changes anything is not found here, and goes through `serve` as always.
"""

from __future__ import annotations

from typing import NamedTuple

from protocols.mysql.commands import Command, Scope
from protocols.mysql.parameters import Types
from protocols.mysql.serve import MysqlResponder
from protocols.mysql.statement import Kind

LARGEST = 16 << 10  # bytes of a command, and of an answer, that are worth knowing
MOST = 64 << 20  # bytes that are remembered; then it begins anew
_ENTRY = 300  # bytes that an entry takes, apart from what is in it

_Key = bytes | tuple[str, Types | None, bytes, bytes]


class _Known(NamedTuple):
    answer: bytes
    types: Types | None  # that the command leaves behind, for the next execution


class Ready:
    """What is known of one destination, whichever connection it was learnt on."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        self._scopes: dict[Scope, dict[_Key, _Known]] = {}

    def find(self, responder: MysqlResponder, data: bytes) -> bytes | None:
        """The answer, if `data` is one whole command that is known, and nothing else is under way."""
        commands = responder.resting()
        if commands is None or len(data) < 5:
            return None
        known = self._scopes.get(commands.scope())
        if known is None:
            return None
        if data[4] == Command.QUERY:
            found = known.get(data)
            return None if found is None else found.answer
        if data[4] != Command.STMT_EXECUTE:
            return None
        prepared = commands.prepared.find(int.from_bytes(data[5:9], "little"))
        if prepared is None or prepared.long_data:
            return None
        found = known.get((prepared.sql, prepared.types, data[:4], data[9:]))
        if found is None:
            return None
        prepared.types = found.types
        return found.answer

    def learn(self, responder: MysqlResponder) -> None:
        """What `responder` has just answered is always answered so."""
        spoken, commands = responder.spoken, responder.resting()
        if spoken is None or commands is None:
            return
        question, payload = spoken.question, spoken.packet.payload
        statement = question.statement
        if (
            statement is None
            or statement.kind is not Kind.READ
            or not question.alone
            or commands.scope() != spoken.before
        ):
            return
        if len(payload) > LARGEST or len(spoken.answer) > LARGEST:
            return
        head = len(payload).to_bytes(3, "little") + b"\0"
        if question.prepared is None:
            self._keep(spoken.before, head + payload, _Known(spoken.answer, None))
        else:
            prepared = question.prepared
            key = (prepared.sql, question.types, head, payload[5:])
            self._keep(spoken.before, key, _Known(spoken.answer, prepared.types))

    def _keep(self, scope: Scope, key: _Key, known: _Known) -> None:
        self._size += _ENTRY + len(known.answer) + len(key if isinstance(key, bytes) else key[3])
        if self._size > self._most:
            self._scopes.clear()
            self._size = 0
        self._scopes.setdefault(scope, {})[key] = known
