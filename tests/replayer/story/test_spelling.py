"""A UUID is one value, however it is written: an app writes it without hyphens, its database with them."""

from __future__ import annotations

import uuid

import pytest

from replayer.story import Found, Miss
from tests.replayer.story.telling import Recording

MADE_UP = uuid.UUID("44b0885e-e6e7-4e27-8ffe-97d87791b0b1")
FRESH = uuid.UUID("9b0885e4-e6e7-4e27-8ffe-97d87791b0b9")
GIVEN = uuid.UUID("afdc272e-d748-4108-a701-59802b93ea29")
OTHER = uuid.UUID("3b0c2a1e-9d0f-4f6e-8f7a-1c2d3e4f5a6b")


def test_an_answer_in_another_spelling_tells_the_new_name() -> None:
    recording = Recording()
    recording.test(
        "POST http://app/things",
        calls=[
            ("POST http://store/things", {"id": MADE_UP.hex}, {"stored": 1}),
            ("GET http://store/things/latest", None, {"id": str(MADE_UP), "etag": MADE_UP.hex.upper()}),
        ],
    )
    run = recording.replay().begin()
    run.told("POST http://store/things", {"id": FRESH.hex})
    assert run.told("GET http://store/things/latest") == {"id": str(FRESH), "etag": FRESH.hex.upper()}


def test_the_very_answer_to_a_write_tells_it_in_another_spelling() -> None:
    recording = Recording()
    recording.test("POST http://app/things", calls=[("POST http://store/", {"id": MADE_UP.hex}, {"id": str(MADE_UP)})])
    assert recording.replay().begin().told("POST http://store/", {"id": FRESH.hex}) == {"id": str(FRESH)}


@pytest.mark.parametrize(("said", "follows"), [(FRESH, True), (MADE_UP, False), (OTHER, False)])
def test_what_was_made_up_has_one_name_in_every_spelling(said: uuid.UUID, follows: bool) -> None:
    recording = Recording()
    recording.test(
        "POST http://app/things",
        calls=[
            ("POST http://store/things", {"id": MADE_UP.hex}, {}),
            (f"GET http://store/things/{MADE_UP}", None, {"state": "new"}),
        ],
    )
    run = recording.replay().begin()
    run.told("POST http://store/things", {"id": FRESH.hex})
    assert isinstance(run.call(f"GET http://store/things/{said}"), Found if follows else Miss)


@pytest.mark.parametrize(("said", "follows"), [(GIVEN, True), (OTHER, False)])
def test_what_was_given_is_given_in_every_spelling(said: uuid.UUID, follows: bool) -> None:
    recording = Recording()
    recording.test(f"GET http://app/users/{GIVEN}", calls=[(f"GET http://store/users/{GIVEN.hex}", None, {"age": 7})])
    found = recording.replay().begin().call(f"GET http://store/users/{said.hex}")
    assert isinstance(found, Found if follows else Miss)


def test_a_given_value_is_not_taken_for_a_fresh_one_because_it_is_written_otherwise() -> None:
    recording = Recording()
    recording.test(
        f"PUT http://app/users/{GIVEN}", {"friend": str(OTHER)},
        calls=[("POST http://store/things", {"id": MADE_UP.hex}, {})],
    )  # fmt: skip
    run = recording.replay().begin()
    found = run.call("POST http://store/things", {"id": OTHER.hex})
    assert isinstance(found, Found)
    assert found.finding is not None
    assert "which it was given" in str(found.finding.difference)
