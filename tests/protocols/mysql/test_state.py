"""A server's answer as a table of states: what may follow what."""

from __future__ import annotations

import pytest

from protocols.mysql.state import AFTER, State, after
from testset.errors import ProtocolError

WAYS = {
    "an OK or an error": [State.HEAD, State.DONE],
    "rows": [State.HEAD, State.COLUMNS, State.ROWS, State.DONE],
    "rows, with an EOF after their columns": [State.HEAD, State.COLUMNS, State.COLUMNS_END, State.ROWS, State.DONE],
    "rows whose columns are known": [State.HEAD, State.ROWS, State.DONE],
    "rows, and an OK after them": [State.HEAD, State.COLUMNS, State.ROWS, State.HEAD, State.DONE],
    "two OKs": [State.HEAD, State.HEAD, State.DONE],
    "a statement with nothing in it": [State.PREPARED, State.DONE],
    "a statement with parameters": [State.PREPARED, State.PARAMETERS, State.PARAMETERS_END, State.DONE],
    "a statement with both": [State.PREPARED, State.PARAMETERS, State.COLUMNS, State.DONE],
    "a statement with columns": [State.PREPARED, State.COLUMNS, State.COLUMNS_END, State.DONE],
    "fields": [State.FIELDS, State.DONE],
    "rows of a cursor": [State.FETCHED, State.DONE],
    "one packet": [State.SINGLE, State.DONE],
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_way_through_the_table(way: list[State]) -> None:
    state = way[0]
    for to in way[1:]:
        state = after(state, to)
    assert state is State.DONE


@pytest.mark.parametrize(
    ("state", "to"),
    [
        (State.DONE, State.HEAD),
        (State.ROWS, State.COLUMNS),
        (State.HEAD, State.PREPARED),
        (State.PARAMETERS_END, State.ROWS),
        (State.COLUMNS, State.HEAD),
        (State.SINGLE, State.ROWS),
    ],
)
def test_what_does_not_follow_is_an_error_that_names_both(state: State, to: State) -> None:
    with pytest.raises(ProtocolError, match=f"{to} does not follow {state}"):
        after(state, to)


def test_the_table_is_whole() -> None:
    """Every state is in it, each but the first ones is reached, and from each there is a way to the end."""
    assert AFTER.keys() == set(State)
    assert set(State) - {to for following in AFTER.values() for to in following} == {
        State.PREPARED, State.FIELDS, State.FETCHED, State.SINGLE,
    }  # fmt: skip
    ending = {State.DONE}
    while more := {state for state, following in AFTER.items() if following & ending} - ending:
        ending |= more
    assert ending == set(State)
