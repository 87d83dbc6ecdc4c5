"""Names that a person has given to values (`{{order}}`), in a set that is recorded anew.

The old tests are written with names, the new recording has none, and another value wherever one stood. Here the new
recording is put into the words of the old one: texts as they were recorded, and names where the old test has them and
the value fits. What is left to differ then is a change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from protocols.generated import looks_generated
from replayer.hearing import marked, unmarked
from replayer.merging.sets import Merged, Side
from replayer.names_kept import with_names
from testset.model import Document
from testset.named import Recorded, rendered
from testset.placeholders import in_tree


class Names:
    """The names of one set, and what they stood for then and now."""

    def __init__(self, recorded: Mapping[str, Recorded], now: Mapping[str, Recorded]) -> None:
        self._recorded = recorded
        self._now = {name: str(now.get(name, value)) for name, value in recorded.items()}
        pairs = {now: str(recorded[name]) for name, now in self._now.items() if now != str(recorded[name])}
        plain = {now: then for now, then in pairs.items() if not looks_generated(then)}
        self._texts = {now: then for now, then in plain.items() if not now.isdigit()}
        self.numbers = [(then, now) for now, then in plain.items() if now.isdigit()]  # the same only in their places

    def sent(self, tests: Sequence[Document]) -> list[Document]:
        """Old tests as they were recorded."""
        return [replace(one, spec=rendered(one.spec, self._recorded)) if self._recorded else one for one in tests]

    def written(self, side: Side) -> Side:
        """The old recording, so that it can be merged: a name that stands for a number in JSON is a text there."""
        return _with_bodies(side, marked) if self._recorded else side

    def in_old_words(self, side: Side) -> Side:
        """The new recording, with texts as they were called then."""
        if not self._texts:
            return side
        longest = sorted(map(re.escape, self._texts), key=len, reverse=True)
        pattern = re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(longest)})(?![0-9A-Za-z])")

        def spoken(one: Document) -> Document:
            changed = in_tree(one.spec, lambda text: pattern.sub(lambda found: self._texts[found[0]], text))
            return replace(one, spec=changed)

        tests = {name: spoken(one) for name, one in side.tests.items()}
        return replace(side, tests=tests, mocks=[spoken(one) for one in side.mocks])

    def put(self, old: Side, new: Side, new_of: Mapping[str, str]) -> tuple[Side, list[str]]:
        """The new recording with names in its responses, and what has become of names that no value fits. `old` as it
        is `written`."""
        if not self._recorded:
            return new, []
        values = {name: self._texts.get(now, now) for name, now in self._now.items()}
        tests, lost = dict(new.tests), []
        for name, other in new_of.items():
            before, fresh = old.tests[name].spec.get("resp"), new.tests[other].spec.get("resp")
            if isinstance(before, Mapping) and isinstance(fresh, Mapping):
                plain = {**before, "body": unmarked(before["body"])} if isinstance(before.get("body"), str) else before
                kept, gone = with_names(plain, fresh, values)
                tests[other] = replace(new.tests[other], spec={**new.tests[other].spec, "resp": kept})
                lost += [f"{name}: {one}" for one in gone]
        return self.written(replace(new, tests=tests)), lost

    def unwritten(self, merged: Merged) -> Merged:
        """What was merged, as the files have it."""
        tests = {name: _with_body(one, unmarked) for name, one in merged.tests.items()}
        return replace(merged, tests=tests) if self._recorded else merged


def _with_bodies(side: Side, change: Callable[[str], str]) -> Side:
    return replace(side, tests={name: _with_body(one, change) for name, one in side.tests.items()})


def _with_body(document: Document, change: Callable[[str], str]) -> Document:
    response: Any = document.spec.get("resp")
    if not isinstance(response, Mapping) or not isinstance(response.get("body"), str):
        return document
    return replace(document, spec={**document.spec, "resp": {**response, "body": change(response["body"])}})
