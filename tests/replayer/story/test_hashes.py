"""As a set, whatever was added in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from replayer.story import hashes
from replayer.story.hashes import Hashes


def test_a_hundred_thousand_values_are_found_and_no_others() -> None:
    there = Hashes(f"value-{number}" for number in range(100_000))
    assert all(f"value-{number}" in there for number in range(0, 100_000, 97))
    assert not any(f"other-{number}" in there for number in range(1000))


@given(st.lists(st.text(max_size=3)), st.text(max_size=3))
def test_as_a_set(values: list[str], asked: str) -> None:
    before, hashes._FRESH = hashes._FRESH, 3
    try:
        there = Hashes()
        for value in values:
            there.add(value)
            assert value in there
        assert (asked in there) == (asked in values)
    finally:
        hashes._FRESH = before
