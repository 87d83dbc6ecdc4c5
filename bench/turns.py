"""Measuring in turns: every contestant once a round, so that what else the machine does meets all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something to be measured. `settle` is called after each of its turns, so that its left-over work is not
    counted against the next."""

    measure: Callable[[], float]
    settle: Callable[[], None] = lambda: None


def in_turns(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, float]:
    """The median of each contestant over `rounds` rounds. A first round warms up and is not counted."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        # each round begins with another contestant, so that no one always follows the same one
        names = list(contestants)
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            figure = contestants[name].measure()
            contestants[name].settle()
            if number > 0:
                figures[name].append(figure)
    return {name: median(values) for name, values in figures.items()}
