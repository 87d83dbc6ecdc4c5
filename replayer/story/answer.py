"""The app's response, read as the recorded one.

Only names are read here: what is made up in a response binds where it appears first, and what was made up before must
follow. Whether the rest of the response is right is for the comparer, which gets the names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from protocols.furniture import Value
from replayer.story.attempt import Attempt, pieces
from replayer.story.bindings import Breach, Clash
from replayer.story.findings import Answer, Unfollowed
from replayer.story.lines import pieces_alike
from replayer.story.recording import Story
from replayer.story.reissued import carries_moment
from replayer.story.template import template, text_of


def read_answer(
    story: Story, attempt: Attempt, recorded: Sequence[Value], actual: Sequence[Value], name: str
) -> Answer:
    """What `actual` calls the made-up values of `recorded`."""
    now: dict[str, list[Value]] = defaultdict(list)
    for value in reversed(actual):
        now[value.place].append(value)
    unfollowed = []
    names: dict[str, str] = {}
    for value in recorded:
        there = now[value.place].pop() if now[value.place] else None
        pairs = pieces(value, there) if there is not None else None
        if there is not None and pairs is None:
            attempt.follow_whole(value, there, f"{name}, {value.place}")
            pairs = pieces_alike(text_of(value), text_of(there))
        for then, found in pairs or ():
            origin = story.made_up.get(then)
            if origin is None or origin.time:
                continue
            clash = attempt.follow(then, found, f"{name}, {value.place}")
            if clash is not None and _is_issued_twice(story, clash):
                attempt.share(then, found, f"{name}, {value.place}")
            elif clash is not None:
                unfollowed.append(Unfollowed(place=value.place, clash=clash))
    for then in dict.fromkeys(atom for value in recorded for atom in template(value).atoms):
        actual_name = attempt.called(then)
        if actual_name is not None and actual_name != then:
            names[then] = actual_name
    names.update(attempt.wholes())

    def forgive(place: str, expected: str, found: str) -> str | None:
        if attempt.is_reissued(expected, found):
            return "a token, issued once more"
        return "a time, as far from the clock as recorded" if attempt.moves(expected, found) else None

    return Answer(names=names, unfollowed=tuple(unfollowed), forgive=forgive)


def _is_issued_twice(story: Story, clash: Clash) -> bool:
    """Whether the two that were recorded may be one token that was issued again a second later: the same was asked."""
    if clash.breach is not Breach.TAKEN or clash.since is None or not carries_moment(clash.actual):
        return False
    makers = [story.made_up[one].maker for one in (clash.recorded, clash.since.recorded) if one in story.made_up]
    return len(makers) == 2 and story.asked_alike(*makers)
