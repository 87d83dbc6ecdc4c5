"""The book of a replay: which recorded effects have happened, and what happened beside them.

Effects are asserted as a multiset for each test, in order only within a transaction or queue group. What came too
much and what did not come are paired at the end where they have the same route: that is one call with another value,
not one missing and one extra.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from protocols.furniture import Difference, Value
from replayer.story.findings import Effects, Finding, Kind, Outstanding
from replayer.story.recording import Entry, Story


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """An effect that the app had, as far as the report needs it."""

    route: int | None
    title: str
    values: tuple[Value, ...]


@dataclass(slots=True)
class Page:
    """What is noted for one test."""

    extra: list[tuple[Made, Finding]] = field(default_factory=list)
    changed: dict[int, tuple[Entry, Made, Finding]] = field(default_factory=dict)  # by the entry's position
    notes: list[Finding] = field(default_factory=list)
    again: Counter[str] = field(default_factory=Counter)
    titles: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


Compare = Callable[[Entry, Sequence[Value]], Difference | None]


class Book:
    """What has happened so far, by test."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._happened: set[int] = set()  # positions of entries
        self._last: dict[tuple[str, Hashable], Entry] = {}  # of an owner's group: the latest recorded one
        self._pages: dict[str, Page] = defaultdict(Page)
        self._page = self._pages["startup"]
        self._titles: dict[int, str] = {}  # of entries that were spoken of: reading a mock again takes its time
        self._told: set[int] = set()  # entries of start-up that a warning was given about

    def open(self, test: str) -> None:
        """What is noted from now on belongs to `test`."""
        self._page = self._pages[test]

    # -- noting -------------------------------------------------------------------------------------------------

    def claim(self, entry: Entry) -> None:
        """`entry` happened as recorded."""
        self._happened.add(entry.position)
        stood_in = self._page.changed.pop(entry.position, None)
        if stood_in is not None:  # it was not changed after all: what took its place was one too many
            _, made, finding = stood_in
            self._page.extra.append((made, _extra(made, finding.mock, None)))
        if entry.effect and entry.group is not None:
            self._in_order(entry, entry.group)

    def is_taken(self, entry: Entry) -> bool:
        """Whether another value stands in for `entry` already."""
        return entry.position in self._page.changed

    def changed(self, entry: Entry, made: Made, difference: Difference) -> Finding:
        finding = _changed(entry.name, made.title, difference)
        if entry.position in self._page.changed:
            finding = _extra(made, entry.name, difference)
            self._page.extra.append((made, finding))
        else:
            self._page.changed[entry.position] = (entry, made, finding)
        return finding

    def extra(self, made: Made, entry: Entry) -> Finding:
        finding = _extra(made, entry.name, None)
        self._page.extra.append((made, finding))
        return finding

    def note(self, finding: Finding) -> None:
        self._page.notes.append(finding)

    def again(self, title: str, entry: Entry) -> None:
        """Said once, at the end, with the number of times."""
        self._page.again[entry.name] += 1
        self._page.titles[entry.name] = title

    def elsewhere(self, title: str, entry: Entry, test: str) -> str:
        return self._warn(f"{title}: not recorded in {test}; the latest earlier answer, {entry.name}, was given")

    def late(self, title: str, entry: Entry) -> str:
        return self._warn(f"{title}: {entry.name} came late, after {entry.owner} was over")

    def startup_again(self, title: str, entry: Entry) -> str | None:
        if entry.position in self._told:
            return None
        self._told.add(entry.position)
        return self._warn(f"{title}: {entry.name} of start-up was made again")

    def _warn(self, text: str) -> str:
        if text not in self._page.warnings:
            self._page.warnings.append(text)
        return text

    def _in_order(self, entry: Entry, group: Hashable) -> None:
        latest = self._last.get((entry.owner, group))
        if latest is None or latest.position < entry.position:
            self._last[(entry.owner, group)] = entry
            return
        title = self._title(entry)
        text = f"{title}: {entry.name} was recorded before {latest.name} ({self._title(latest)}) and came after it"
        self.note(Finding(kind=Kind.ORDER, title=title, text=text, mock=entry.name))

    # -- asking -------------------------------------------------------------------------------------------------

    def outstanding(self, owners: Sequence[str], test: str) -> tuple[Outstanding, ...]:
        """Effects of `owners` that have not happened, not even with another value."""
        told = self._story.tests.get(test)
        ended = told.ended_ns if told is not None else 0
        return tuple(
            Outstanding(mock=entry.name, title=self._title(entry), after_ns=max(0, entry.started_ns - ended))
            for entry in self._missing(owners)
        )

    def close(self, owners: Sequence[str], test: str, compare: Compare) -> Effects:
        """What is to be said about `test`, which answers for the effects of `owners`."""
        page = self._pages.pop(test, Page())
        missing, extra = self._missing(owners, page), list(page.extra)
        changed = [finding for _, _, finding in page.changed.values()]
        for entry in list(missing):
            for made, finding in extra:
                if made.route == entry.route:
                    difference = compare(entry, made.values)
                    changed.append(_changed(entry.name, made.title, difference))
                    extra.remove((made, finding))
                    missing.remove(entry)
                    break
        by_kind: dict[Kind, list[Finding]] = defaultdict(list)
        for note in page.notes:
            by_kind[note.kind].append(note)
        return Effects(
            missing=tuple(self._was_missing(entry) for entry in missing),
            extra=tuple(finding for _, finding in extra),
            changed=tuple(changed),
            order=tuple(by_kind[Kind.ORDER]),
            missed=_once(by_kind[Kind.MISSED]),
            unfollowed=tuple(by_kind[Kind.UNFOLLOWED]),
            warnings=(*page.warnings, *self._repetitions(page)),
        )

    def _missing(self, owners: Sequence[str], page: Page | None = None) -> list[Entry]:
        page = page if page is not None else self._page
        return [
            entry
            for owner in owners
            for entry in self._story.entries.get(owner, ())
            if entry.effect and entry.position not in self._happened and entry.position not in page.changed
        ]

    def _was_missing(self, entry: Entry) -> Finding:
        title = self._title(entry)
        text = f"{title}: recorded as {entry.name}, and not made now"
        return Finding(kind=Kind.MISSING, title=title, text=text, mock=entry.name)

    def _repetitions(self, page: Page) -> list[str]:
        return [
            f"{page.titles[name]}: made {times} time{'s' * (times > 1)} more than recorded (N+1?); "
            f"{name} answered again each time"
            for name, times in page.again.items()
        ]

    def _title(self, entry: Entry) -> str:
        title = self._titles.get(entry.position)
        if title is None:
            exchange = entry.recall().exchange
            title = self._story.room_of(exchange).title(exchange.server, exchange.request)
            self._titles[entry.position] = title
        return title


def _changed(name: str, title: str, difference: Difference | None) -> Finding:
    what = str(difference) if difference is not None else "another value"
    return Finding(
        kind=Kind.CHANGED, title=title, text=f"{title}: not as {name}; {what}", mock=name, difference=difference
    )


def _extra(made: Made, name: str | None, difference: Difference | None) -> Finding:
    text = f"{made.title}: made now, and not recorded"
    if difference is None and name is not None:
        text = f"{made.title}: made once more than recorded ({name})"
    return Finding(kind=Kind.EXTRA, title=made.title, text=text, mock=name, difference=difference)


def _once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same miss again and again (an app that retries) is one finding, which says how often."""
    times = Counter(finding.text for finding in findings)
    first = {finding.text: finding for finding in reversed(findings)}
    ordered = dict.fromkeys(finding.text for finding in findings)
    return tuple(
        first[text] if times[text] == 1 else replace(first[text], text=f"{text} ({times[text]} times)")
        for text in ordered
    )
