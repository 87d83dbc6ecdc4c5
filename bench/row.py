"""A row of the result: two raw figures, their ratio (or difference), and what it had to be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How thoroughly to measure."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`floor` is what must be reached and `goal` what we want; None: the figure is reported as it is.

    `ratio` is ours / theirs, where more is better. With `added=True` it is ours - theirs in `unit`, and less is better.
    """

    name: str
    ours: float
    theirs: float
    unit: str
    floor: float | None = None
    goal: float | None = None
    added: bool = False

    @property
    def ratio(self) -> float:
        return self.ours - self.theirs if self.added else self.ours / self.theirs

    def reaches(self, mark: float | None) -> bool | None:
        if mark is None:
            return None
        return self.ratio <= mark if self.added else self.ratio >= mark

    @property
    def verdict(self) -> str:
        if self.floor is None:
            return ""
        return "goal" if self.reaches(self.goal) else "floor" if self.reaches(self.floor) else "MISSED"

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "ratio": round(self.ratio, 4),
            "met": self.reaches(self.floor),
            "goal_met": self.reaches(self.goal),
        }

    def as_line(self) -> str:
        def number(value: float | None) -> str:
            return "" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"

        cells = [number(value) for value in (self.ratio, self.floor, self.goal)]
        return f"{self.name:<52} {cells[0]:>7} {cells[1]:>6} {cells[2]:>6}  {self.verdict:<6}" + (
            f" {number(self.ours):>9} {number(self.theirs):>9} {self.unit}"
        )


HEADER = f"{'':<52} {'ratio':>7} {'floor':>6} {'goal':>6}  {'met':<6} {'ours':>9} {'theirs':>9}"
