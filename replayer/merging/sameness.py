"""Whether a value of a new recording is the old one, up to the renaming of what is made up anew each time.

Two recordings of the same requests differ in ids, tokens and times. A pair of such values is learned where they are
first met in the same place, and must hold from then on: one to one. Times are the same if they are as far from the
beginning of their tests, or if they stand for a pair of times that was met before. Small numbers are learned as ids
only where the place says that one is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from protocols.furniture import Value
from protocols.generated import looks_generated
from replayer.story.template import Template, fits, is_sealed, template
from replayer.story.times import SECOND, Clocks, moment, same_offset

_TOLERANCE = 5 * SECOND
_OF_IDS = re.compile(r"(?:^|[_.\-])ids?$|[a-z]I[dD]s?$|^last_insert_id$")
_WHOLE = re.compile(r"(?<![\w.])\d+(?![\w.])")


@dataclass(frozen=True, slots=True)
class Near:
    """Where two values are compared: when their tests began, and what the place is called."""

    clocks: Clocks  # the old recording is `recorded`, the new one `now`
    name: str = ""


class Sameness:
    """What has been learned of two recordings so far."""

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        """`known`: old values, and what they are called in the new recording."""
        self._old_of: dict[str, str] = {}
        self._new_of: dict[str, str] = {}
        self._moments: dict[int, set[int]] = {}  # seconds of the new recording, by those of the old
        for old, new in known:
            self._learn(old, new)

    def merged(self, old: Any, new: Any, near: Near) -> Any:
        """The old value if the new one is the same, else the new one as it would have been called then."""
        if type(old) is type(new) and old == new:
            return old
        if isinstance(old, str) and isinstance(new, str):
            return old if self._same_text(old, new, near) else self.renamed(new)
        if _is_number(old) and _is_number(new) and self._same_number(old, new, near):
            return old
        return self.renamed(new)

    def renamed(self, new: Any) -> Any:
        """A new value in the words of the old recording."""
        if isinstance(new, str):
            parts = taken_apart(new)
            if parts.atoms:
                atoms = [self._old_of.get(atom, atom) for atom in parts.atoms]
                new = "".join(text + atom for text, atom in zip(parts.texts, [*atoms, ""], strict=True))
            return new
        if isinstance(new, Mapping):
            return {key: self.renamed(value) for key, value in new.items()}
        if isinstance(new, list):
            return [self.renamed(value) for value in new]
        return new

    def in_outline(self, value: Any, shared: AbstractSet[str], *, new: bool = False) -> Any:
        """A value without what was made up and not met yet, in the words of the old recording: equal for two values
        that may be the same. `shared`: atoms that both recordings have."""
        if isinstance(value, str):
            parts = taken_apart(value)
            known = self._old_of if new else self._new_of
            atoms = [
                (self._old_of[one] if new else one) if one in known else one if one in shared else "?"
                for one in parts.atoms
            ]
            texts = [self._with_old_ids(text) for text in parts.texts] if new else parts.texts
            return "".join(text + atom for text, atom in zip(texts, [*atoms, ""], strict=True))
        if isinstance(value, Mapping):
            return {key: self.in_outline(one, shared, new=new) for key, one in value.items()}
        if isinstance(value, list):
            return [self.in_outline(one, shared, new=new) for one in value]
        return value

    def _same_text(self, old: str, new: str, near: Near) -> bool:
        was, now = taken_apart(old), taken_apart(new)
        if was.atoms and was.shape == now.shape:
            pairs = list(zip(was.atoms, now.atoms, strict=True))
        elif was.atoms and (found := was.align(new)) is not None:
            pairs = list(zip(was.atoms, found, strict=True))
        elif moment(old, near.clocks.recorded_ns) is not None:
            pairs = [(old, new)]
        else:
            pairs = []
        if not pairs:
            return (bool(looks_generated(old) and looks_generated(new)) and self._same_atom(old, new, near)) or (
                self._with_ids(old, new)
            )
        if all(self._same_atom(a, b, near) for a, b in pairs):
            return True
        if looks_generated(old) and looks_generated(new) and self._same_atom(old, new, near):
            return True  # what stands before a random value may be random as well
        return self._with_ids(old, new)

    def _same_atom(self, old: str, new: str, near: Near) -> bool:
        if old == new:
            return True
        if self._same_time(old, new, near):
            return True
        return looks_generated(old) != "time" and fits(old, new) and self._learn(old, new)

    def _same_time(self, old: str, new: str, near: Near) -> bool:
        clocks = near.clocks
        then, today = moment(old, clocks.recorded_ns), moment(new, clocks.now_ns)
        if then is None or today is None:
            return False
        seconds = then.ns // SECOND, today.ns // SECOND
        if same_offset(old, new, clocks, _TOLERANCE):
            self._moments.setdefault(seconds[0], set()).add(seconds[1])
            return True
        # rounding may have moved either by a second
        known = set().union(*(self._moments.get(seconds[0] + shift, ()) for shift in (-1, 0, 1)))
        return any(abs(one - seconds[1]) <= 1 for one in known)

    def _same_number(self, old: float, new: float, near: Near) -> bool:
        if self._same_time(str(old), str(new), near):
            return True
        if looks_generated(old) == "time":
            return False
        was, now = template(Value("", old)), template(Value("", new))
        is_id = isinstance(old, int) and isinstance(new, int) and _OF_IDS.search(near.name) is not None
        if (was.atoms and now.atoms) or is_id:
            return self._learn(str(old), str(new))
        return self._old_of.get(str(new)) == str(old)

    def _with_ids(self, old: str, new: str) -> bool:
        """Whether the texts are the same once numbers that are known as ids are called as before."""
        if not _WHOLE.search(new):
            return False
        return self._with_old_ids(str(self.renamed(new))) == old

    def _with_old_ids(self, text: str) -> str:
        return _WHOLE.sub(lambda found: self._old_of.get(found[0], found[0]), text)

    def _learn(self, old: str, new: str) -> bool:
        """Take a pair for the same from now on; false if one of them is known to stand for another."""
        if self._old_of.get(new, old) != old or self._new_of.get(old, new) != new:
            return False
        self._old_of[new] = old
        self._new_of[old] = new
        return True


def taken_apart(text: str) -> Template:
    """A text with all that was made up as atoms, what stands around a secret's placeholder as well."""
    sealed = template(Value("", text))
    if not sealed.atoms or not is_sealed(text):
        return sealed
    texts: list[str] = [""]
    atoms: list[str] = []
    for around, secret in zip(sealed.texts, (*sealed.atoms, None), strict=True):
        inner = template(Value("", around))
        texts[-1] += inner.texts[0]
        texts.extend(inner.texts[1:])
        atoms.extend(inner.atoms)
        if secret is not None:
            atoms.append(secret)
            texts.append("")
    return Template(tuple(texts), tuple(atoms))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
