"""A recording that is cut off anywhere and taken up again writes what it would have written without that."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercept import journal
from tests.recorder.sessions import Session, Traffic
from testset.store import TestSet


@pytest.fixture(autouse=True, scope="module")
def small_segments() -> Iterator[None]:
    """Segments that are full soon, so that a recording of some seconds has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "SEGMENT_BYTES", 3000)
        yield


def recorded(traffic: Traffic, cuts: list[int]) -> tuple[dict[str, str], Session]:
    """What is written when the recorder ends after each of these numbers of steps, without a word, and begins again."""
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder))
        traffic.journal(session.path)
        for steps in cuts:
            recording = session.recording()
            for _ in range(steps):
                recording.work(400)
        recording = session.recording()
        recording.finish()
        names = [document.name for _, document in TestSet(session.test_set).mocks()]
        assert len(names) == len(set(names))
        return session.written(), session


@settings(max_examples=25)
@given(seed=st.integers(0, 1 << 32), cuts=st.lists(st.integers(1, 60), max_size=3))
def test_cut_off_anywhere_and_taken_up_again(seed: int, cuts: list[int]) -> None:
    traffic = Traffic(random.Random(seed), requests=25)
    whole, _ = recorded(traffic, [])
    assert len([name for name in whole if name.startswith("tests/")]) == 25
    assert whole["mocks.yml"].count("kind: DNS") == 3, "each name once"
    again, _ = recorded(traffic, cuts)
    assert sorted(again) == sorted(whole)
    for name, text in whole.items():
        assert again[name] == text, name
