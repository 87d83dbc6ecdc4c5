"""Values that do not look made up, and that a person has named: followed into what the app asks."""

from __future__ import annotations

import pytest

from replayer.story import Found, Miss
from tests.replayer.story.telling import Recording, Run


def ordering() -> Recording:
    """POST /orders reserves goods and says which order it is; GET /orders/A-17 asks the warehouse, twice."""
    recording = Recording()
    recording.test(
        "POST http://app/orders",
        {"quantity": 17},
        calls=[
            ("POST http://stock/reserve", {"order": "A-17", "id": 17, "quantity": 17}, {"order": "A-17", "left": 17}),
            ("PUT http://warehouse/orders/A-17", {"note": "for A-17, at once"}, {"ok": True}),
        ],
        answer={"order": "A-17", "id": 17},
    )
    recording.test(
        "GET http://app/orders/A-17",
        calls=[("GET http://warehouse/orders/A-17?id=17", None, {"order": "A-17"})],
        answer={"order": "A-17"},
    )
    return recording


def replayed(order: str = "A-18", number: int = 18) -> Run:
    """test-1, in which the app makes another number."""
    run = ordering().replay(named=frozenset({"A-17", "17"})).begin("test-1")
    told = run.told("POST http://stock/reserve", {"order": order, "id": number, "quantity": 17})
    assert told == {"order": order, "left": 17}, "a short number may be anything in an answer"
    assert run.told(f"PUT http://warehouse/orders/{order}", {"note": f"for {order}, at once"}) == {"ok": True}
    return run


def test_a_named_value_may_be_another_one() -> None:
    run = replayed()
    assert not run.end().findings
    assert run.replay.named("A-17", "A-18") == "A-18"
    assert run.replay.named("17", "18") == "18"


def test_what_the_app_has_called_it_before_stays_its_name() -> None:
    assert replayed().replay.named("A-17", "A-99") == "A-18"


def test_it_is_followed_into_later_tests() -> None:
    run = replayed()
    run.end()
    run.begin("test-2")
    for _ in range(2):  # the second time it is a repetition
        assert run.told("GET http://warehouse/orders/A-18?id=18") == {"order": "A-18"}
    assert not run.end().findings


@pytest.mark.parametrize(
    "asked",
    [
        "GET http://warehouse/orders/A-17?id=18",  # the recorded name, which is another one by now
        "GET http://warehouse/orders/A-99?id=18",
        "GET http://warehouse/orders/A-18?id=99",
        "GET http://warehouse/order/A-18?id=18",
    ],
)
def test_another_value_finds_nothing(asked: str) -> None:
    run = replayed()
    run.end()
    run.begin("test-2")
    assert isinstance(run.call(asked), Miss)


@pytest.mark.parametrize(
    "changed", [{"quantity": 4}, {"order": "B 18"}, {"id": "x"}, {"id": 1.5}, {"id": True}, {"more": 1}]
)
def test_what_is_not_named_is_as_recorded(changed: dict[str, object]) -> None:
    run = ordering().replay(named=frozenset({"A-17", "17"})).begin("test-1")
    found = run.call("POST http://stock/reserve", {"order": "A-18", "id": 18, "quantity": 17, **changed})
    assert isinstance(found, Found)
    assert found.finding is not None
    assert found.finding.kind == "changed"


def test_without_names_nothing_is_followed() -> None:
    run = ordering().replay().begin("test-1")
    found = run.call("POST http://stock/reserve", {"order": "A-18", "id": 17, "quantity": 17})
    assert isinstance(found, Found)
    assert found.finding is not None
    assert found.finding.difference is not None
    assert found.finding.difference.place == "body.order"


def test_what_differs_beside_a_name_is_told() -> None:
    run = ordering().replay(named=frozenset({"A-17", "17"})).begin("test-1")
    run.told("POST http://stock/reserve", {"order": "A-18", "id": 18, "quantity": 17})
    found = run.call("PUT http://warehouse/orders/A-18", {"note": "for A-18, later"})
    assert isinstance(found, Found)
    assert found.finding is not None
    assert found.finding.difference is not None
    assert found.finding.difference.place == "body.note"
