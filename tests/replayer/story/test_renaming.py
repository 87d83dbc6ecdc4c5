"""The one rule as a property: the same story up to a consistent renaming is faithful, and nothing else is.

A world is drawn at random: given ids, made-up ids, tests whose calls and answers use them, in paths and in bodies.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from replayer.story import Effects, Found
from tests.replayer.story.telling import ROOM, Recording, Run, request

GIVEN = [str(uuid.UUID(int=0x5EED_0000_0000_4000_8000_0000_0000_0000 + n, version=4)) for n in range(1, 4)]
MADE_UP = [str(uuid.UUID(int=0xABCD_0000_0000_4000_8000_0000_0000_0000 + n * 77777, version=4)) for n in range(1, 5)]


@dataclass(frozen=True)
class Call:
    method: str
    path_id: str
    body_ids: tuple[str, ...]
    count: int
    echo: bool

    def line(self) -> str:
        return f"{self.method} http://peer/things/{self.path_id}"

    def body(self) -> Any:
        return None if self.method == "GET" else {"ids": list(self.body_ids), "count": self.count}

    def answer(self) -> Any:
        return {"about": [self.path_id, *self.body_ids] if self.echo else [], "count": self.count}


@dataclass(frozen=True)
class Scene:
    """One test: the id that its request gives, its calls, the ids that it answers with."""

    gives: str
    calls: tuple[Call, ...]
    answers: tuple[str, ...]

    def renamed(self, names: dict[str, str]) -> Scene:
        def new(id: str) -> str:
            return names.get(id, id)

        calls = tuple(
            Call(call.method, new(call.path_id), tuple(map(new, call.body_ids)), call.count, call.echo)
            for call in self.calls
        )
        return Scene(new(self.gives), calls, tuple(map(new, self.answers)))


ids = st.sampled_from(GIVEN + MADE_UP)
calls = st.builds(
    Call,
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path_id=ids,
    body_ids=st.lists(ids, max_size=2).map(tuple),
    count=st.integers(0, 2),
    echo=st.booleans(),
)
scenes = st.lists(
    st.builds(
        Scene,
        gives=st.sampled_from(GIVEN),
        calls=st.lists(calls, max_size=4).map(tuple),
        answers=st.lists(ids, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=4,
)


def recorded(story: list[Scene]) -> Recording:
    recording = Recording()
    # Given from the start, whatever a scene may do with them.
    recording.call("startup", "GET http://peer/all", answer=GIVEN)
    for scene in story:
        recording.test(
            "POST http://app/go",
            {"about": scene.gives},
            calls=[(call.line(), call.body(), call.answer()) for call in scene.calls],
            answer={"ids": list(scene.answers)},
        )
    return recording


def played(recording: Recording, story: list[Scene]) -> list[Effects]:
    """Each test's effects; fails where an answer is not what a renamed dependency would have said."""
    run: Run = recording.replay()
    effects = []
    for number, scene in enumerate(story, 1):
        name = f"test-{number}"
        run.begin(name)
        for call in scene.calls:
            found = run.call(call.line(), call.body())
            if isinstance(found, Found) and found.finding is None:
                answer = ROOM.response_values(ROOM.rebind(found.mock.exchange.response, found.names))
                _, asked = request(call.line(), call.body())
                told = {value.value for value in answer if value.place.startswith("body.about[")}
                sent = {call.path_id, *(value.value for value in ROOM.values(asked))}
                assert told <= sent, "a reply speaks of what was asked, in this run's words"
        answered = run.answers({"ids": list(scene.answers)}, name)
        assert all(answered.names.get(id, id) in scene.answers or answered.unfollowed for id in answered.names)
        effects.append(run.end())
    return effects


def sent(call: Call) -> tuple[str, ...]:
    return () if call.method == "GET" else call.body_ids


def quiet(call: Call) -> Call:
    """A read says nothing about ids that it does not send: its answer would make them given."""
    return Call(call.method, call.path_id, sent(call), call.count if call.method != "GET" else 0, call.echo)


def tidy(story: list[Scene]) -> list[Scene]:
    return [Scene(scene.gives, tuple(map(quiet, scene.calls)), scene.answers) for scene in story]


@given(scenes)
def test_the_recording_itself_is_faithful(story: list[Scene]) -> None:
    story = tidy(story)
    assert all(one == Effects() for one in played(recorded(story), story))


@given(scenes, st.sets(st.sampled_from(MADE_UP)), st.permutations(MADE_UP))
def test_a_consistent_renaming_is_faithful(story: list[Scene], anew: set[str], order: list[str]) -> None:
    """Any of the made-up values go by other names; the others by their own (constants that only look made up)."""
    story = tidy(story)
    names = {id: str(uuid.uuid5(uuid.NAMESPACE_DNS, order[turn])) for turn, id in enumerate(MADE_UP) if id in anew}
    now = [scene.renamed(names) for scene in story]
    assert all(one == Effects() for one in played(recorded(story), now))


@given(scenes, st.data())
def test_an_inconsistent_renaming_is_found(story: list[Scene], data: st.DataObject) -> None:
    """Everywhere the fresh name, and in one single place another: a value that does not follow its binding."""
    story = tidy(story)
    names = {id: str(uuid.uuid5(uuid.NAMESPACE_DNS, id)) for id in MADE_UP}
    uses = [
        (number, turn, place, id)
        for number, scene in enumerate(story)
        for turn, call in [*enumerate(scene.calls), (-1, None)]
        for place, id in enumerate(scene.answers if call is None else (call.path_id, *call.body_ids))
        if id in MADE_UP
    ]
    often = [use for use in uses if sum(other[3] == use[3] for other in uses) > 1]
    assume(often)
    number, turn, place, id = data.draw(st.sampled_from(often))
    # A new one, so that one value is two now, or a given one. (Another made-up one might tell the same story again.)
    wrong = data.draw(st.sampled_from([str(uuid.uuid5(uuid.NAMESPACE_URL, id)), GIVEN[0]]))
    now = [scene.renamed(names) for scene in story]
    scene = now[number]
    if turn == -1:
        answers = list(scene.answers)
        answers[place] = wrong
        now[number] = Scene(scene.gives, scene.calls, tuple(answers))
    else:
        call = scene.calls[turn]
        flat = [call.path_id, *call.body_ids]
        flat[place] = wrong
        changed = Call(call.method, flat[0], tuple(flat[1:]), call.count, call.echo)
        now[number] = Scene(scene.gives, (*scene.calls[:turn], changed, *scene.calls[turn + 1 :]), scene.answers)
    effects = played(recorded(story), now)
    assert any(one.findings or one.warnings for one in effects)
