"""Values born in an earlier response, found in a recorded request wherever they stand."""

from __future__ import annotations

import pytest

from replayer.story.bindings import Bindings
from replayer.story.carry import carry

ID, FRESH = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1", "9b0885e4-e6e7-4e27-8ffe-97d87791b0b9"
TOKEN, NEW = "q83vEjRWeJCrze8SNFZ4kKvN/xI0VniQq83vEjRWeJA=", "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE+"

TEXTS = {
    f"/orders/{ID}/items": f"/orders/{FRESH}/items",
    f"/orders?id={ID}&full=1": f"/orders?id={FRESH}&full=1",
    f'{{"ids": ["{ID}", "{ID}x"]}}': f'{{"ids": ["{FRESH}", "{ID}x"]}}',
    f"session={ID}; theme=dark": f"session={FRESH}; theme=dark",
    f"Bearer {TOKEN}": f"Bearer {NEW}",
    "/reset?token=q83vEjRWeJCrze8SNFZ4kKvN%2FxI0VniQq83vEjRWeJA%3D": (
        "/reset?token=Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE%2B"
    ),
    "nothing of the kind": "nothing of the kind",
    "": "",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_value_is_carried_over_where_it_stands(text: str) -> None:
    bindings = Bindings()
    bindings.bind(ID, FRESH, "test-1's response, body.id")
    bindings.bind(TOKEN, NEW, "test-1's response, body.token")
    assert carry(text, bindings) == TEXTS[text]


def test_without_bindings_nothing_changes() -> None:
    assert carry(f"/orders/{ID}", Bindings()) == f"/orders/{ID}"


def test_names_that_change_places() -> None:
    bindings = Bindings()
    bindings.bind(ID, FRESH, "here")
    bindings.bind(FRESH, ID, "there")
    assert carry(f"{ID},{FRESH}", bindings) == f"{FRESH},{ID}"


def test_a_token_that_begins_like_a_word_is_carried_as_a_whole() -> None:
    bindings = Bindings()
    bindings.bind("N_zUTzlJxNcMqjTSxsmxQJeL", "SqqZOmv-pHxuIQ7yrIlHFW76", "here", whole=True)
    assert carry("sid=N_zUTzlJxNcMqjTSxsmxQJeL; a=1", bindings) == "sid=SqqZOmv-pHxuIQ7yrIlHFW76; a=1"
