"""What the ledger says after any end of its writer."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from recorder.ledger import Ledger, Resume, Written, read
from testset.model import ExchangeId

FIRST = Written("test-1", 10, 20, 8080)
RESUME = Resume({"inbound": True, "server": ["127.0.0.1", 80]}, 100, 200, 3, "http")


def story(folder: Path) -> None:
    ledger = Ledger(folder)
    ledger.test(ExchangeId(1, 0), FIRST)
    ledger.mock(ExchangeId(2, 0), "test-1.1", 0)
    ledger.mock(ExchangeId(2, 1), "test-1.2", 50)
    ledger.close()


def test_nothing_was_written(tmp_path: Path) -> None:
    progress = read(tmp_path)
    assert (progress.tests, progress.mocks, progress.mocks_offset) == ({}, {}, None)
    assert progress.first_segment == 1


def test_the_last_mock_may_be_half_written_and_is_written_again(tmp_path: Path) -> None:
    story(tmp_path)
    progress = read(tmp_path)
    assert progress.tests == {ExchangeId(1, 0): FIRST}
    assert progress.mocks == {ExchangeId(2, 0): "test-1.1"}
    assert progress.mocks_offset == 50


def test_a_check_says_that_all_before_it_is_written(tmp_path: Path) -> None:
    story(tmp_path)
    ledger = Ledger(tmp_path)  # a second life appends
    ledger.check({1: RESUME}, 4, {"api:443": "expired"})
    ledger.close()
    progress = read(tmp_path)
    assert progress.mocks == {ExchangeId(2, 0): "test-1.1", ExchangeId(2, 1): "test-1.2"}
    assert progress.mocks_offset is None
    assert progress.connections == {1: RESUME}
    assert progress.first_segment == 4


@given(cut=st.integers(0, 400))
def test_a_torn_line_does_not_count(cut: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        story(folder)
        data = (folder / "ledger").read_bytes()
        (folder / "ledger").write_bytes(data[:cut])
        progress = read(folder)
        whole = data[:cut].count(b"\n")
        assert len(progress.tests) + len(progress.mocks) + (progress.mocks_offset is not None) == whole
