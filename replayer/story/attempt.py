"""One attempt at reading what the app sends now as something that was recorded.

Value by value, atom by atom: what was given must be equal, what was made up must follow the renaming or may begin it, a
time must be as far from its clock. An attempt is on trial: what it would bind counts within it, and for the replay only
when the attempt is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from protocols.furniture import Difference, Value
from protocols.generated import looks_generated
from replayer.story.bindings import Binding, Bindings, Breach, Clash
from replayer.story.recording import BORN, Entry, Story
from replayer.story.reissued import is_reissued
from replayer.story.spelling import spelled_like
from replayer.story.template import fits, is_redacted, is_secret, template, text_of
from replayer.story.times import Clocks, same_offset

_WIDEST = 96  # characters of a value in a message
_NOTHING = "nothing"
_MAY_BE = re.compile(r"(?=.*[a-z])(?=.*[A-Z])[0-9A-Za-z_-]{16,}")  # a token


class Attempt:
    """What follows, and what would be bound, if this were that."""

    __slots__ = ("_bindings", "_clocks", "_given", "_pairs", "_shared", "_story", "_taken", "_wholes", "times")

    def __init__(
        self, story: Story, bindings: Bindings, given: Callable[[str], bool], clocks: Sequence[Clocks]
    ) -> None:
        self._story = story
        self._bindings = bindings
        self._given = given
        self._clocks = clocks
        self._pairs: dict[str, Binding] = {}  # by recorded value
        self._taken: dict[str, Binding] = {}  # by actual value
        self._wholes: set[str] = set()
        self._shared: set[str] = set()
        self.times: dict[str, str] = {}

    def follow(self, recorded: str, actual: str, place: str, *, anew: bool = False) -> Clash | None:
        """`actual` stands where `recorded` was: does it follow the rule? `anew`: the recorded value may have been
        made up once more (a nonce, which nothing else ever speaks of), and its old name does not count."""
        origin = self._story.made_up.get(recorded)
        if is_redacted(recorded):
            return None
        if origin is None or origin.time:
            return self._moves(recorded, actual)
        if origin.place.startswith(f"{place},"):
            place = origin.place  # the very value, and not only the request
        known = self._pairs.get(recorded)
        if known is not None:
            if known.actual == actual or self.is_reissued(known.actual, actual):
                return None
            return Clash(Breach.OTHER, recorded, actual, known)
        taken = self._taken.get(actual)
        if taken is not None:
            return Clash(Breach.TAKEN, recorded, actual, taken)
        clash = self._bindings.clash(recorded, actual)
        if clash is not None and clash.since is not None and self.is_reissued(clash.since.actual, actual):
            return None  # it goes on under the name that it has
        again = anew and recorded not in self._story.reused and self._bindings.recorded(actual) == actual
        if clash is not None and not (again and clash.breach is Breach.OTHER):
            return clash
        if self._bindings.actual(recorded) != actual and actual != recorded and not is_secret(recorded):
            if self._given(actual):
                return Clash(Breach.GIVEN, recorded, actual)
            if not fits(recorded, actual):
                return Clash(Breach.SORT, recorded, actual)
        self._pairs[recorded] = self._taken[actual] = Binding(recorded, actual, place)
        for spelling in self._story.spellings(recorded):
            if spelling != recorded:
                written = spelled_like(spelling, actual)
                self._pairs[spelling] = self._taken[written] = Binding(spelling, written, place)
        return None

    def follow_whole(self, recorded: Value, actual: Value, place: str) -> None:
        """A token may begin or end with what looks like a word (`N_zUTz…`), and one in a thousand looks like words as a
        whole: if what stands out in it was made up, and there is no such text around it now, it is the token as a whole
        that is called otherwise."""
        then, now = recorded.value, actual.value
        if not isinstance(then, str) or not isinstance(now, str) or len(then) != len(now) or self._given(now):
            return
        kinds = {looks_generated(then), looks_generated(now)}
        if kinds != {"token"} and not (kinds == {"token", None} and _MAY_BE.fullmatch(then) and _MAY_BE.fullmatch(now)):
            return
        origins = [self._story.made_up.get(atom) for atom in template(recorded).atoms]
        if any(one is None or one.time for one in origins):
            return
        if then in self._pairs or now in self._taken or self._bindings.clash(then, now) is not None:
            return
        self._pairs[then] = self._taken[now] = Binding(then, now, place)
        self._wholes.add(then)

    def share(self, recorded: str, actual: str, place: str) -> None:
        """`actual` stands for another recorded value already, and by chance for this one as well."""
        self._pairs[recorded] = Binding(recorded, actual, place)
        self._shared.add(recorded)

    def take(self) -> None:
        """It is so: what was made up first here is bound."""
        for binding in self._pairs.values():
            if binding.recorded in self._shared:
                self._bindings.share(binding.recorded, binding.actual, binding.place)
                continue
            whole = binding.recorded in self._wholes
            self._bindings.bind(binding.recorded, binding.actual, binding.place, whole=whole)

    def called(self, recorded: str) -> str | None:
        """What `recorded` is called, by this attempt or before it."""
        known = self._pairs.get(recorded)
        return known.actual if known is not None else self._bindings.actual(recorded)

    def wholes(self) -> Mapping[str, str]:
        """The tokens that go by another name as a whole only."""
        return {one: self._pairs[one].actual for one in self._wholes}

    def moves(self, recorded: str, actual: str) -> bool:
        """Whether both are times, as far from their clocks."""
        return self._moves(recorded, actual) is None

    def is_reissued(self, earlier: str, later: str) -> bool:
        """Whether both are one token, issued twice."""
        return is_reissued(earlier, later, self._story.options.tolerance_ns)

    def names(self) -> Mapping[str, str]:
        """What this attempt itself calls things: recorded values and actual ones."""
        return {**{binding.recorded: binding.actual for binding in self._pairs.values()}, **self.times}

    def _moves(self, recorded: str, actual: str) -> Clash | None:
        """A given value or a time: equal, or as far from the clock."""
        if recorded == actual:
            return None
        for clocks in self._clocks:
            if same_offset(recorded, actual, clocks, self._story.options.tolerance_ns):
                self.times[recorded] = actual
                return None
        origin = self._story.made_up.get(recorded)
        return Clash(Breach.TIME if origin is not None else Breach.OTHER, recorded, actual)


def read_atoms(attempt: Attempt, entry: Entry, atoms: Sequence[str], name: str, *, anew: bool = False) -> bool:
    """Whether `atoms`, of a request of the same shape as `entry`'s, follow the rule where `entry` has made-up ones."""
    return all(
        attempt.follow(made_up.value, atoms[made_up.atom], name, anew=anew and made_up.role == BORN) is None
        for made_up in entry.made_up
    )


def read_sealed(
    attempt: Attempt, secrets: Sequence[Value], actual: Sequence[Value], name: str, *, strict: bool
) -> bool:
    """Whether something stands wherever there was a secret, with the same text around it; `strict`: what stands for
    this very secret. A credential may be another one each time: this chooses between mocks, and rejects none."""
    if not secrets:
        return True
    now = dict(_numbered(actual))
    for place, then in _numbered(secrets):
        there = now.get(place)
        pairs = pieces(then, there) if there is not None else None
        if pairs is None:
            return False
        clashes = [attempt.follow(atom, found, f"{name}, {then.place}") for atom, found in pairs]
        if strict and any(clashes):
            return False
    return True


def differences(
    attempt: Attempt, recorded: Sequence[Value], actual: Sequence[Value], name: str
) -> Iterator[Difference]:
    """Where `actual` is not what `recorded` is once renamed, in the order of the recording."""
    now = dict(_numbered(actual))
    for place, then in _numbered(recorded):
        if place not in now:
            yield Difference(then.place, _shown(then), _NOTHING)
            continue
        there = now.pop(place)
        found = _difference(attempt, then, there, f"{name}, {then.place}")
        if found is not None:
            yield found
    for _, extra in sorted(now.items()):
        yield Difference(extra.place, _NOTHING, _shown(extra))


def pieces(recorded: Value, actual: Value) -> Iterator[tuple[str, str]] | None:
    """The atoms of `recorded` and what stands in their places in `actual`; None if the text around them differs."""
    one = template(recorded)
    if _is_number(recorded) is not _is_number(actual) and not is_secret(text_of(recorded)):  # it was any
        return None
    aligned = one.align(text_of(actual))
    return zip(one.atoms, aligned, strict=True) if aligned is not None else None


def _difference(attempt: Attempt, recorded: Value, actual: Value, place: str) -> Difference | None:
    pairs = pieces(recorded, actual)
    if pairs is None:
        return Difference(recorded.place, _shown(recorded), _shown(actual))
    clash = None
    for then, now in pairs:
        found = attempt.follow(then, now, place)
        clash = clash if is_secret(then) else found or clash  # a credential may be another one each time
    if clash is None:
        return None
    if clash.breach is Breach.OTHER and clash.since is None:
        return Difference(recorded.place, _shown(recorded), _shown(actual))
    return Difference(recorded.place, clash.expected, clash.found)


def _numbered(values: Iterable[Value]) -> Iterator[tuple[tuple[str, int], Value]]:
    """Values by place; a place that is there twice (`?tag=a&tag=b`) is told apart by its turn."""
    seen: Counter[str] = Counter()
    for value in values:
        yield (value.place, seen[value.place]), value
        seen[value.place] += 1


def _is_number(value: Value) -> bool:
    return not isinstance(value.value, str)


def _shown(value: Value) -> str:
    text = repr(value.value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST // 2]} … {text[-_WIDEST // 2 :]}"
