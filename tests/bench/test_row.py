"""A row says whether its floor and its goal were reached, both where more is better and where less is."""

from __future__ import annotations

from typing import Any

import pytest

from bench.row import Row


@pytest.mark.parametrize(("ours", "verdict"), [(100.0, "goal"), (80.0, "floor"), (74.9, "MISSED")])
def test_a_ratio_is_to_be_large(ours: float, verdict: str) -> None:
    row = Row(name="requests", ours=ours, theirs=100.0, unit="requests/s", floor=0.75, goal=1.0)
    assert row.verdict == verdict


@pytest.mark.parametrize(("ours", "verdict"), [(0.09, "goal"), (0.14, "floor"), (0.16, "MISSED")])
def test_what_is_added_is_to_be_small(ours: float, verdict: str) -> None:
    row = Row(name="median", ours=ours, theirs=0.07, unit="ms", floor=0.08, goal=0.03, added=True)
    assert row.verdict == verdict


def test_a_row_without_a_floor_is_a_figure_as_it_is() -> None:
    row = Row(name="1 MB", ours=600.0, theirs=1200.0, unit="requests/s")
    assert (row.verdict, row.reaches(row.floor)) == ("", None)
    assert "0.5" in row.as_line()


def test_the_result_file_holds_both_raw_figures_and_the_marks() -> None:
    row = Row(name="requests", ours=80.0, theirs=100.0, unit="requests/s", floor=0.75, goal=1.0)
    expected: dict[str, Any] = {
        "name": "requests", "ratio": 0.8, "floor": 0.75, "goal": 1.0, "met": True, "goal_met": False, "ours": 80.0,
        "theirs": 100.0, "unit": "requests/s", "added": False,
    }  # fmt: skip
    assert row.as_json() == expected
