"""Contestants take turns, each settles after its own, the first round does not count."""

from __future__ import annotations

from collections.abc import Iterator

from bench.turns import Contestant, in_turns


def test_the_median_leaves_the_warm_up_out() -> None:
    figures: Iterator[float] = iter([1000.0, 1.0, 3.0, 2.0])
    assert in_turns({"rr": Contestant(lambda: next(figures))}, rounds=3) == {"rr": 2.0}


def test_all_are_measured_in_every_round_and_settle_before_the_next() -> None:
    events: list[str] = []

    def contestant(name: str) -> Contestant:
        def measure() -> float:
            events.append(name)
            return 1.0

        return Contestant(measure, lambda: events.append(f"{name} settles"))

    in_turns({"a": contestant("a"), "b": contestant("b")}, rounds=1)
    assert events == [
        "a", "a settles", "b", "b settles",  # the warm-up
        "b", "b settles", "a", "a settles",  # begins with another, so that none always follows the same
    ]  # fmt: skip
