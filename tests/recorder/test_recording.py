"""What a recording keeps, and for how long."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from intercept import journal
from tests.recorder.sessions import Session, Traffic
from testset.store import TestSet


def test_attempts_that_came_to_nothing_are_not_kept_and_hold_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app looks for its database until that is there: the journal goes as if it had been there at once."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 3000)
    session = Session(tmp_path)
    Traffic(random.Random(3), 40, refused=5).journal(session.path)
    written = len(list(session.path.glob("*.seg")))
    recording = session.recording()
    while recording.work(400):
        pass
    left = len(list(session.path.glob("*.seg")))
    recording.finish()
    mocks = [document for _, document in TestSet(session.test_set).mocks()]
    assert mocks
    assert not [one for one in mocks if one.spec.get("ending") == "refused"]
    assert left < 5 < 20 < written
