"""A set with names (`{{order}}`) and a new recording of it, in which everything is called otherwise."""

from __future__ import annotations

import json
from typing import Any

from replayer.merging.names import Names
from replayer.merging.sets import Merged, Side, merge
from testset.model import Document


def http(name: str, url: str, asked: str, answered: str) -> Document:
    return Document(
        kind="Http",
        name=name,
        spec={"req": {"method": "POST", "url": url, "body": asked}, "resp": {"status_code": 200, "body": answered}},
    )


def side(order: str, number: str, **answer: Any) -> Side:
    """An order is made, and paid; `answer`: what is told of the payment beside the order's number."""
    more = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in answer.items())
    told = f'{{"order": "{order}", "id": {number}}}'
    tests = [
        http("test-1", "http://localhost/orders", "{}", told),
        http("test-2", f"http://localhost/orders/{order}/pay", told, f'{{"paid": {number}{more}}}'),
    ]
    mocks = [http("test-2.1", f"http://bank/pay/{order}", f'{{"ref": {number}, "note": "for {order}"}}', "{}")]
    return Side({one.name: one for one in tests}, mocks, {"test-1": 0, "test-2": 10**9})


def merged(new: Side, now: dict[str, str | int]) -> tuple[Merged, list[str]]:
    names = Names({"order": "A-417", "number": 418}, now)
    recorded = side("A-417", "418", state="paid")
    old = names.written(Side(side("{{order}}", "{{number}}", state="paid").tests, recorded.mocks, recorded.started_ns))
    new, gone = names.put(old, names.in_old_words(new), {"test-1": "test-1", "test-2": "test-2"})
    whole = merge(old, new, {"test-1": "test-1", "test-2": "test-2"}, names.numbers)
    return names.unwritten(whole), gone


def test_other_values_for_the_names_are_no_change() -> None:
    result, gone = merged(side("A-501", "502", state="paid"), {"order": "A-501", "number": "502"})
    assert result.is_empty
    assert gone == []


def test_a_change_is_written_around_the_names() -> None:
    result, gone = merged(side("A-501", "502", state="booked"), {"order": "A-501", "number": "502"})
    assert list(result.tests) == ["test-2"]
    assert result.tests["test-2"].spec["resp"]["body"] == '{"paid": {{number}}, "state": "booked"}'
    assert result.tests["test-2"].spec["req"]["url"] == "http://localhost/orders/{{order}}/pay"
    assert (result.changed, gone) == ([], [])


def test_a_name_that_no_value_fits_is_said() -> None:
    result, gone = merged(side("A-501", '"none"', state="paid"), {"order": "A-501"})
    assert result.tests["test-1"].spec["resp"]["body"] == '{"order": "{{order}}", "id": "none"}'
    assert gone[0] == "test-1: body: {{number}} is gone, for another value stands there now"


def test_old_requests_are_found_by_what_was_sent() -> None:
    names = Names({"order": "A-417", "number": 418}, {})
    [_, sent] = names.sent(list(side("{{order}}", "{{number}}").tests.values()))
    assert sent.spec["req"] == side("A-417", "418").tests["test-2"].spec["req"]


def test_without_names_nothing_is_touched() -> None:
    names, old = Names({}, {}), side("A-417", "418", text="{{title}}")
    assert names.written(old) is old
    assert names.in_old_words(old) is old
    assert names.put(old, old, {}) == (old, [])
