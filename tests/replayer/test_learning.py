"""What may differ: learned from replays of an app that has not changed."""

from __future__ import annotations

import json
import re
import secrets
import uuid

import pytest

from replayer.compare.finding import Finding, Kind
from replayer.learning import Lesson, learn


def differs(place: str, recorded: object, now: object, kind: Kind = Kind.VALUE) -> Finding:
    return Finding(place, kind, json.dumps(recorded), json.dumps(now))


def lesson(*replays: Finding) -> Lesson:
    return learn([{"test-1": [one]} for one in replays])["test-1"]


def test_what_looks_generated_each_time_is_noise_with_its_evidence() -> None:
    recorded, *now = ("3f2a9c1de07b4856", "b81e44f09a7d2c35", "0c9d7ae1f4b26830")
    learned = lesson(*(differs("body.nonce", recorded, one) for one in now))
    [noise] = learned.noise
    assert (noise.place, noise.pattern) == ("body.nonce", "^[0-9a-f]{16}$")
    assert (
        noise.evidence == "recorded 3f2a9… (16 characters), replayed b81e4… (16 characters) and 0c9d7… (16 characters)"
    )
    assert learned.unstable == ()


@pytest.mark.parametrize(
    "values",
    [
        [12, 13, 15],  # a count, a price
        ["red", "green", "blue"],
        ["a0b1c2d3e4f56789", "a0b1c2d3e4f56789", "b81e44f09a7d2c35"],  # once as recorded
        [True, False, True],
        [None, "b81e44f09a7d2c35", "0c9d7ae1f4b26830"],
        [{"a": 1}, {"a": 2}, {"a": 3}],
    ],
    ids=["number", "word", "not each time", "truth", "nothing", "object"],
)
def test_what_does_not_look_generated_is_unstable(values: list[object]) -> None:
    recorded, *now = values
    learned = lesson(*(differs("body.value", recorded, one) for one in now))
    assert learned.noise == ()
    assert learned.unstable[0].values == tuple(json.dumps(one) for one in values)


@pytest.mark.parametrize("place", ["body", "status"])
def test_never_the_whole_body(place: str) -> None:
    replays = [differs(place, "3f2a9c1de07b4856", one) for one in ("b81e44f09a7d2c35", "0c9d7ae1f4b26830")]
    assert lesson(*replays).noise == ()


def test_a_place_that_differed_in_one_replay_only_is_unstable() -> None:
    lessons = learn([{"test-1": [differs("body.nonce", "3f2a9c1de07b4856", "b81e44f09a7d2c35")]}, {"test-1": []}])
    assert lessons["test-1"].noise == ()


def test_a_field_that_comes_and_goes_is_unstable() -> None:
    replays = [Finding("body.trace", Kind.EXTRA, None, json.dumps(secrets.token_hex(8))) for _ in range(2)]
    assert lesson(*replays).noise == ()


@pytest.mark.parametrize(
    ("make", "constant"),
    [
        (lambda: str(uuid.uuid4()), "constant"),
        (lambda: secrets.token_hex(16), "0" * 31 + "x"),
        (lambda: secrets.token_urlsafe(24), "fixed"),
        (lambda: "Xy" + secrets.token_hex(4), "Xy"),
        (lambda: secrets.randbelow(9 * 10**15) + 10**15, "none"),
        (lambda: secrets.randbelow(10**17) / 10**17 + 0.1, "none"),
    ],
    ids=["uuid", "hex", "token", "short id", "number", "fraction"],
)
def test_the_pattern_fits_the_next_value_and_not_a_constant(make: object, constant: str) -> None:
    assert callable(make)
    for _ in range(200):
        recorded = make()
        learned = lesson(*(differs("body.value", recorded, make()) for _ in range(2)))
        if not learned.noise:  # chance has made a word of one of them
            continue
        [noise] = learned.noise
        assert re.search(noise.pattern, str(make())), noise.pattern
        assert not re.search(noise.pattern, constant), noise.pattern


def test_a_short_id_may_be_all_digits_now_and_then() -> None:
    recorded, *now = ("7056b129", "93978923", "287164c4")
    assert [one.pattern for one in lesson(*(differs("body.short", recorded, one) for one in now)).noise] == [
        "^[0-9a-f]{8}$"
    ]


def test_what_a_person_has_named_is_no_noise() -> None:
    recorded, *now = ("3f2a9c1de07b4856", "b81e44f09a7d2c35", "0c9d7ae1f4b26830")
    replays = [{"test-1": [differs("body.order", recorded, one), differs("body.nonce", recorded, one)]} for one in now]
    lesson = learn(replays, lambda test, place: (test, place) == ("test-1", "body.order"))["test-1"]
    assert [one.place for one in lesson.noise] == ["body.nonce"]
    assert [one.place for one in lesson.unstable] == ["body.order"]
