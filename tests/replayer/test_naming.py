"""Which values are proposed to have names, and which are not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replayer.naming import Proposal, propose
from testset.model import Document


def told(method: str, path: str, body: Any = None, answer: Any = None, **headers: str) -> dict[str, Any]:
    """A test: `headers` of the request; those of the response are in `answer_headers`."""
    req: dict[str, Any] = {"method": method, "url": f"http://localhost:8000{path}"}
    if headers:
        req["header"] = {key.replace("_", "-"): value for key, value in headers.items()}
    if body is not None:
        req["body"] = body if isinstance(body, str) else json.dumps(body, indent=2)
    resp: dict[str, Any] = {"status_code": 200}
    if answer is not None:
        resp["body"] = answer if isinstance(answer, str) else json.dumps(answer)
    return {"req": req, "resp": resp}


def proposed(*specs: dict[str, Any], given: frozenset[str] = frozenset(), taken: str = "") -> list[Proposal]:
    tests = [Document(kind="Http", name=f"test-{number}", spec=spec) for number, spec in enumerate(specs, 1)]
    return propose(tests, lambda _, text: text in given, {taken: "x"} if taken else {})


def names(*specs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {one.name: one.value for one in proposed(*specs, **more)}


MADE = told("POST", "/api/v1/orders", {"item": "pen"}, {"id": "A-417", "number": 418, "status": "NEW"})


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (told("GET", "/orders/A-417"), {"order_id": "A-417"}),
        (told("GET", "/orders?id=A-417"), {"order_id": "A-417"}),
        (told("GET", "/orders", X_Order="A-417"), {"order_id": "A-417"}),
        (told("GET", "/orders", Authorization="Order A-417"), {"order_id": "A-417"}),
        (told("POST", "/pay", {"orders": [{"order": "A-417"}]}), {"order_id": "A-417"}),
        (told("POST", "/pay", "order=A-417&amount=3"), {"order_id": "A-417"}),
        (told("GET", "/numbers/418"), {"order_number": 418}),
        (told("GET", "/numbers?orderNumber=418"), {"order_number": 418}),
        (told("POST", "/pay", {"order_number": 418}), {"order_number": 418}),
        (told("POST", "/pay", {"amount": 418}), {}),  # it may be anything
        (told("GET", "/orders?limit=418"), {}),
        (told("GET", "/orders?status=NEW"), {}),  # a word
        (told("GET", "/orders/A-4170"), {}),
        (told("GET", "/orders"), {}),
    ],
)
def test_what_a_later_request_speaks_of(later: dict[str, Any], expected: dict[str, Any]) -> None:
    assert names(MADE, later) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", 7), ("id", True), ("id", None), ("id", 1.5), ("id", ""), ("status", "PENDING"), ("day", "2025-09-04"),
        ("version", "1.0"), ("version", "v2.1.0"), ("size", "20px"), ("charset", "UTF-8"), ("quantity", 120),
        ("name", "Room 12"), ("id", "44b0885e-e6e7-4e27-8ffe-97d87791b0b1"), ("id", 20250904113048753), ("paid", 120),
        ("id", "a\"17"),
    ],
)  # fmt: skip
def test_what_is_followed_by_itself_or_is_not_specific(key: str, value: object) -> None:
    assert names(told("POST", "/orders", None, {key: value}), told("GET", f"/orders/{value}?{key}={value}")) == {}


def test_what_was_known_before_is_not_made_here() -> None:
    again = told("GET", "/orders/A-417")
    assert names(told("POST", "/orders", {"id": "A-417"}, {"id": "A-417"}), again) == {}, "the request said it"
    assert names(told("GET", "/orders?id=A-417"), MADE, again) == {}, "an earlier request"
    assert names(told("GET", "/orders", None, [{"id": "A-417"}]), MADE, again) == {}, "an earlier response"
    assert names(MADE, again, given=frozenset({"A-417"})) == {}, "the answer of a mock, which says it in every run"
    assert names(told("GET", "/articles", None, {"id": "A-417"}), again) == {}, "nothing is made by a GET"


def test_a_number_in_two_places_may_be_two_things() -> None:
    later = told("GET", "/orders/418")
    assert names(told("POST", "/orders", None, {"id": 418, "quantity": 418}), later) == {}
    assert names(told("POST", "/orders", None, {"id": 418, "of": {"id": 418}}), later) == {"order_id": 418}


def test_where_the_name_is_put() -> None:
    first = told("POST", "/orders", None, {"id": 418, "self": "/orders/418"})
    first["resp"]["header"] = {"Location": "/orders/418", "Date": "418", "X-Count": "418"}
    second = told(
        "POST", "/orders/418/pay?tip=418", {"id": 418, "amount": 418}, {"paid": 418, "list": [418]}, Host="418"
    )
    third = told("GET", "/report", None, {"id": 418, "total": 418})
    [one] = proposed(first, second, third)
    assert (one.test, one.place, one.asked) == ("test-1", "body.id", ["test-2"])
    made, paid, report = (one.documents[f"test-{number}"].spec for number in (1, 2, 3))
    assert made["resp"]["header"] == {"Location": "/orders/{{order_id}}", "Date": "418", "X-Count": "418"}
    assert made["resp"]["body"] == '{"id": {{order_id}}, "self": "/orders/{{order_id}}"}'
    assert paid["req"]["url"] == "http://localhost:8000/orders/{{order_id}}/pay?tip=418"
    assert paid["req"]["header"] == {"Host": "418"}
    assert paid["req"]["body"] == '{\n  "id": {{order_id}},\n  "amount": 418\n}'
    assert paid["resp"]["body"] == '{"paid": {{order_id}}, "list": [{{order_id}}]}', "the answer about it"
    assert report["resp"]["body"] == '{"id": {{order_id}}, "total": 418}', "nobody asked about it"


def test_a_text_is_the_same_wherever_it_stands() -> None:
    first = told("POST", "/logins", None, {"session": "zoe:17", "hello": "you are zoe:17."})
    second = told("GET", "/me", None, "<b>zoe:17</b> zoe:170", Cookie="a=1; session=zoe:17")
    [one] = proposed(first, second)
    assert one.documents["test-1"].spec["resp"]["body"] == '{"session": "{{session}}", "hello": "you are {{session}}."}'
    assert one.documents["test-2"].spec["req"]["header"] == {"Cookie": "a=1; session={{session}}"}
    assert one.documents["test-2"].spec["resp"]["body"] == "<b>{{session}}</b> zoe:170"


def test_an_address_is_read_as_it_is_meant() -> None:
    [one] = proposed(told("POST", "/o", None, {"ref": "A#17"}), told("GET", "/o/A%2317?q=A%2317"))
    assert one.documents["test-2"].spec["req"]["url"] == "http://localhost:8000/o/{{o_ref}}?q={{o_ref}}"


def test_headers_and_cookies_say_values_as_well() -> None:
    first = told("POST", "/orders")
    first["resp"]["header"] = {
        "Location": "/orders/A-417",
        "Set-Cookie": ["seat=B-22; Path=/", "x=1"],
        "X-Desk": "D9-4",
    }
    second = told("GET", "/orders/A-417", Cookie="seat=B-22", X_Desk="D9-4")
    assert names(first, second) == {"order_id": "A-417", "seat": "B-22", "x_desk": "D9-4"}


def test_names_are_unique() -> None:
    made = [told("POST", "/orders", None, {"id": f"A-{number}"}) for number in (417, 418)]
    asked = [told("GET", f"/orders/A-{number}") for number in (417, 418)]
    assert names(*made, *asked) == {"order_id": "A-417", "order_id_2": "A-418"}
    assert names(*made, *asked, taken="order_id") == {"order_id_2": "A-417", "order_id_3": "A-418"}


def test_nothing_is_proposed_twice() -> None:
    [one] = proposed(MADE, told("GET", "/orders/A-417"))
    after = [dict(one.documents[f"test-{number}"].spec) for number in (1, 2)]
    assert names(*after, taken="order_id") == {}


def test_secrets_and_names_are_left_alone() -> None:
    answer = '{"token": "{{secret "jwt-1"}}", "id": {{number}}, "ref": "A-417"}'
    [one] = proposed(told("POST", "/orders", None, answer), told("GET", "/orders/A-417"))
    assert one.documents["test-1"].spec["resp"]["body"] == answer.replace("A-417", "{{order_ref}}")
