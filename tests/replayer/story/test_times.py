"""Which texts are times, and when two of them are as far from their clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayer.story.times import SECOND, Clocks, moment, same_offset

NOON = int(datetime(2025, 9, 4, 12, 0, 0, tzinfo=UTC).timestamp()) * SECOND

TEXTS = {
    "2025-09-04T12:00:00Z": 0,
    "2025-09-04 12:00:00": 0,
    "2025-09-04T12:00:00.250Z": SECOND // 4,
    "2025-09-04T14:00:00+02:00": 0,
    "2025-09-04T14:00:00%2B0200": 0,
    "2025-09-04T07:00:00-05": 0,
    "20250904T120000Z": 0,
    "2025-09-04%2012:00": 0,
    "Thu, 04 Sep 2025 12:00:01 GMT": SECOND,
    "1756987200": 0,
    "1756987200.5": SECOND // 2,
    "1756987200250": SECOND // 4,
    "1756987200000001": 1_000,
    "1756987200000000007": 7,
}


@pytest.mark.parametrize("text", TEXTS)
def test_times_are_read_however_they_are_written(text: str) -> None:
    found = moment(text, NOON)
    assert found is not None
    assert found.ns - NOON == TEXTS[text]


@pytest.mark.parametrize(
    "text",
    ["9999999999", "1234567890", "2025-99-99T12:00:00Z", "44b0885e-e6e7", "noon", "", "Thu, 99 Sep 2025 12:00:01 GMT"],
)
def test_other_texts_are_not(text: str) -> None:
    assert moment(text, NOON) is None


@given(st.integers(-(10**6), 10**6), st.integers(-(10**7), 10**7), st.integers(-10, 10))
def test_an_offset_is_what_counts(ahead: int, later: int, drift: int) -> None:
    """A time `ahead` of the clock, in a replay that runs `later`, and is `drift` seconds off."""
    then = datetime.fromtimestamp(NOON // SECOND, UTC) + timedelta(seconds=ahead)
    now = then + timedelta(seconds=later + drift)
    same = same_offset(then.isoformat(), now.isoformat(), Clocks(NOON, NOON + later * SECOND), tolerance_ns=5 * SECOND)
    assert same is (abs(drift) <= 5)


def test_a_date_is_no_moment() -> None:
    assert not same_offset("2025-09-04", "2025-09-04T12:00:00Z", Clocks(NOON, NOON), tolerance_ns=5 * SECOND)


def test_a_date_is_the_same_day_while_the_clock_is_where_it_was() -> None:
    a_bit_later = Clocks(NOON + 60 * SECOND, NOON + 61 * SECOND)
    for day, same in (("2025-09-03", False), ("2025-09-04", True), ("2025-09-05", False)):
        assert same_offset("2025-09-04", day, a_bit_later, tolerance_ns=5 * SECOND) is same, day


def test_a_date_may_change_where_a_day_may_begin() -> None:
    """Midnight is somewhere at each full quarter of an hour."""
    about_noon = Clocks(NOON - SECOND, NOON + SECOND)
    assert same_offset("2025-09-04", "2025-09-05", about_noon, tolerance_ns=5 * SECOND)
    assert not same_offset("2025-09-04", "2025-09-06", about_noon, tolerance_ns=5 * SECOND)


@pytest.mark.parametrize(("day", "same"), [(6, False), (7, True), (8, True), (9, False)])
def test_without_time_travel_a_date_moves_with_the_clock(day: int, same: bool) -> None:
    three_days_and_an_hour = Clocks(NOON, NOON + (3 * 86_400 + 3_600) * SECOND)
    assert same_offset("2025-09-04", f"2025-09-{day:02}", three_days_and_an_hour, tolerance_ns=5 * SECOND) is same


def test_seconds_are_no_milliseconds() -> None:
    assert not same_offset("1756987200250", "1756987200", Clocks(NOON, NOON), 5 * SECOND)
