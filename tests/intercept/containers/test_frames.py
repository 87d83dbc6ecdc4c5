"""The stream between rr and its agent: however it is cut into pieces, the same frames come out."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from intercept.containers.engine import Pipe
from intercept.containers.frames import Frame, Frames, Kind, frame, say

some_frames = st.lists(
    st.builds(Frame, st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=8
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces; places beyond its end make empty ones."""
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


@given(some_frames, st.lists(st.integers(0, 5000), max_size=20))
def test_any_split_of_the_bytes_gives_the_same_frames(sent: list[Frame], places: list[int]) -> None:
    frames = Frames()
    data = b"".join(frame(*one) for one in sent)
    assert [got for piece in cut(data, places) for got in frames.feed(piece)] == sent


@given(some_frames.filter(bool))
def test_byte_by_byte_a_frame_comes_with_its_last_byte(sent: list[Frame]) -> None:
    frames = Frames()
    for one in sent:
        *almost, last = frame(*one)
        assert [got for byte in almost for got in frames.feed(bytes([byte]))] == []
        assert list(frames.feed(bytes([last]))) == [one]


def test_what_is_said_is_json() -> None:
    [got] = Frames().feed(say({"do": "stop", "why": "ü"}, Kind.OPEN, 7))
    assert (got.kind, got.number, got.said()) == (Kind.OPEN, 7, {"do": "stop", "why": "ü"})


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=200)), max_size=8), st.lists(st.integers(0, 2000))
)
def test_a_programs_two_outputs_are_told_apart(said: list[tuple[int, bytes]], places: list[int]) -> None:
    """The engine sends both on one stream, each piece with a head of its own."""
    data = b"".join(bytes([which, 0, 0, 0]) + len(text).to_bytes(4, "big") + text for which, text in said)
    pipe = Pipe(None)
    assert b"".join(pipe.feed(piece) for piece in cut(data, places)) == b"".join(text for one, text in said if one == 1)
    assert bytes(pipe.errors) == b"".join(text for one, text in said if one == 2)
