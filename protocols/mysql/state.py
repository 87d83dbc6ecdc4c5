"""A server's answer as a table: in which state it may be, and which states follow.

    HEAD ──▶ COLUMNS ──▶ (COLUMNS_END) ──▶ ROWS ──▶ DONE, or HEAD again: there may be more results
    PREPARED ──▶ (PARAMETERS ──▶ PARAMETERS_END) ──▶ (COLUMNS ──▶ COLUMNS_END) ──▶ DONE

The ends of definitions are packets only for a client without CLIENT_DEPRECATE_EOF. MariaDB need not describe the
columns of a prepared statement again: then HEAD leads to what comes after them.
"""

from __future__ import annotations

from enum import StrEnum

from testset.errors import ProtocolError


class State(StrEnum):
    HEAD = "at the beginning of a result"
    PREPARED = "at the beginning of a prepared statement"
    PARAMETERS = "describing parameters"
    PARAMETERS_END = "after the parameters"
    COLUMNS = "describing columns"
    COLUMNS_END = "after the columns"
    ROWS = "sending rows"
    FIELDS = "listing fields"
    FETCHED = "sending rows of a cursor"
    SINGLE = "one packet"
    DONE = "complete"


AFTER: dict[State, frozenset[State]] = {
    State.HEAD: frozenset({State.HEAD, State.COLUMNS, State.COLUMNS_END, State.ROWS, State.DONE}),
    State.PREPARED: frozenset({State.PARAMETERS, State.COLUMNS, State.DONE}),
    State.PARAMETERS: frozenset({State.PARAMETERS_END, State.COLUMNS, State.DONE}),
    State.PARAMETERS_END: frozenset({State.COLUMNS, State.DONE}),
    State.COLUMNS: frozenset({State.COLUMNS_END, State.ROWS, State.DONE}),
    State.COLUMNS_END: frozenset({State.ROWS, State.DONE}),
    State.ROWS: frozenset({State.HEAD, State.DONE}),
    State.FIELDS: frozenset({State.DONE}),
    State.FETCHED: frozenset({State.DONE}),
    State.SINGLE: frozenset({State.DONE}),
    State.DONE: frozenset(),
}


def after(state: State, to: State) -> State:
    if to not in AFTER[state]:
        raise ProtocolError(f"{to} does not follow {state}")
    return to
