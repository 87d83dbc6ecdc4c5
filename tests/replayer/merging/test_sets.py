"""A new recording merged into an old one: what only is called otherwise stays, what changed in meaning shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from replayer.merging.sets import Merged, Side, merge
from testset.model import Document

SECOND = 1_000_000_000
OLD_NS, NEW_NS = 1_790_000_000 * SECOND, 1_795_000_000 * SECOND
OLD_ID, NEW_ID = "3f0c6a52-8d1e-4b7a-9c55-0d6e2f417a10", "b7d94e21-5f38-4c06-8a1b-e2c3905d64f7"


def http(name: str, url: str, body: str, *, method: str = "GET", status: int = 200, **more: Any) -> Document:
    spec = {
        "req": {"method": method, "url": url, "timestamp": "2026-01-01T00:00:00Z"},
        "resp": {"status_code": status, "body": body, "timestamp": "2026-01-01T00:00:01Z"},
        **more,
    }
    return Document(kind="Http", name=name, spec=spec)


def query(name: str, sql: str, rows: list[list[Any]]) -> Document:
    message = {"columns": [{"name": "id"}, {"name": "name"}], "rows": rows}
    spec = {
        "metadata": {"requestOperation": "COM_QUERY"},
        "requests": [{"message": {"query": sql}}],
        "responses": [{"message": message}],
    }
    return Document(kind="MySQL", name=name, spec=spec)


def side(began_ns: int, tests: list[Document], mocks: list[Document]) -> Side:
    began = {one.name: began_ns + number * 10 * SECOND for number, one in enumerate(tests)}
    return Side({one.name: one for one in tests}, mocks, began)


def merged(old: Side, new: Side) -> Merged:
    return merge(old, new, dict(zip(old.tests, new.tests, strict=False)))


def order(identity: str, total: int = 12, **more: Any) -> Document:
    return http("test-1", "http://shop/orders/7", f'{{\n  "id": "{identity}",\n  "total": {total}\n}}', **more)


def test_another_id_and_another_time_are_no_change() -> None:
    old = side(OLD_NS, [order(OLD_ID)], [http("test-1.1", f"http://users/{OLD_ID}", "{}")])
    new = side(NEW_NS, [order(NEW_ID)], [http("test-1.1", f"http://users/{NEW_ID}", "{}")])
    assert merged(old, new).is_empty


def test_a_changed_field_is_the_only_change() -> None:
    old, new = side(OLD_NS, [order(OLD_ID)], []), side(NEW_NS, [order(NEW_ID, total=15)], [])
    found = merged(old, new)
    assert list(found.tests) == ["test-1"]
    assert found.tests["test-1"].spec["resp"]["body"] == f'{{\n  "id": "{OLD_ID}",\n  "total": 15\n}}'


def test_a_new_field_stands_among_the_old_ones() -> None:
    old = side(OLD_NS, [http("test-1", "http://shop/", f'{{\n  "id": "{OLD_ID}"\n}}')], [])
    new = side(NEW_NS, [http("test-1", "http://shop/", f'{{\n  "id": "{NEW_ID}",\n  "paid": false\n}}')], [])
    body = merged(old, new).tests["test-1"].spec["resp"]["body"]
    assert body == f'{{\n  "id": "{OLD_ID}",\n  "paid": false\n}}'


def test_an_id_that_stands_for_another_than_before_is_a_change() -> None:
    other = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9"
    both = '["{}", "{}"]'
    old = side(OLD_NS, [http("test-1", "http://shop/", both.format(OLD_ID, OLD_ID))], [])
    new = side(NEW_NS, [http("test-1", "http://shop/", both.format(NEW_ID, other))], [])
    assert not merged(old, new).is_empty


@pytest.mark.parametrize(("later", "changed"), [(3, False), (86_400, True)], ids=["three seconds", "a day"])
def test_times_are_compared_by_their_distance_from_the_test(later: int, changed: bool) -> None:
    from datetime import UTC, datetime

    def made(began_ns: int, shift: int) -> Document:
        at = datetime.fromtimestamp(began_ns / SECOND + shift, UTC).isoformat()
        return http("test-1", "http://shop/", f'{{"at": "{at}"}}')

    old, new = side(OLD_NS, [made(OLD_NS, 1)], []), side(NEW_NS, [made(NEW_NS, 1 + later)], [])
    assert merged(old, new).is_empty is not changed


def test_numbers_are_ids_where_the_place_says_so() -> None:
    def rows(number: int, price: int) -> list[Document]:
        body = f'{{"order_id": {number}, "price": {price}}}'
        return [http("test-1", "http://shop/", body)]

    assert merged(side(OLD_NS, rows(7, 12), []), side(NEW_NS, rows(19, 12), [])).is_empty
    changed = merged(side(OLD_NS, rows(7, 12), []), side(NEW_NS, rows(19, 15), []))
    assert changed.tests["test-1"].spec["resp"]["body"] == '{"order_id": 7, "price": 15}'


def test_a_statement_with_a_known_id_is_the_same() -> None:
    def recording(began_ns: int, number: int) -> Side:
        made = http("test-1.1", "http://ids/", f'{{"id": {number}}}')
        asked = query("test-1.2", f"SELECT id, name FROM users WHERE id = {number}", [[number, "ann"]])
        return side(began_ns, [http("test-1", "http://shop/", "{}")], [made, asked])

    assert merged(recording(OLD_NS, 41), recording(NEW_NS, 57)).is_empty


def test_a_mock_more_gets_the_next_name_behind_the_one_that_it_followed() -> None:
    first, second = http("test-1.1", "http://users/", "{}"), http("test-1.2", "http://stock/", "{}")
    more = http("test-1.2", "http://prices/", "{}")
    test = [http("test-1", "http://shop/", "{}")]
    old = side(OLD_NS, test, [first, second])
    new = side(NEW_NS, test, [first, more, http("test-1.3", "http://stock/", "{}")])
    found = merged(old, new)
    assert [one.document.name for one in found.mocks] == ["test-1.1", "test-1.3", "test-1.2"]
    assert (found.added, found.removed, found.changed) == (["test-1.3"], [], [])


def test_a_mock_that_is_asked_for_no_more_goes() -> None:
    test = [http("test-1", "http://shop/", "{}")]
    old = side(OLD_NS, test, [http("test-1.1", "http://users/", "{}"), http("startup.1", "http://config/", "{}")])
    found = merged(old, side(NEW_NS, test, []))
    assert found.removed == ["test-1.1"]
    assert [one.document.name for one in found.mocks] == ["startup.1"]


def test_calls_that_came_in_another_order_are_the_same() -> None:
    test = [http("test-1", "http://shop/", "{}")]
    calls = [http(f"test-1.{number}", f"http://users/{name}", "{}") for number, name in ((1, "ann"), (2, "bob"))]
    turned = [http(f"test-1.{number}", f"http://users/{name}", "{}") for number, name in ((1, "bob"), (2, "ann"))]
    assert merged(side(OLD_NS, test, calls), side(NEW_NS, test, turned)).is_empty


def test_noise_keeps_the_value_that_is_there() -> None:
    noise: Mapping[str, Any] = {"assertions": {"noise": {"body.total": []}}}
    old, new = side(OLD_NS, [order(OLD_ID, **noise)], []), side(NEW_NS, [order(NEW_ID, total=99)], [])
    assert merged(old, new).is_empty


def test_a_test_that_was_not_recorded_anew_stays_with_its_mocks() -> None:
    tests = [http("test-1", "http://shop/", "{}"), http("test-2", "http://shop/two", "{}")]
    mocks = [http("test-2.1", "http://users/", "{}")]
    found = merge(side(OLD_NS, tests, mocks), side(NEW_NS, tests[:1], []), {"test-1": "test-1"})
    assert found.is_empty


def test_another_secret_in_an_old_place_is_the_same() -> None:
    old = side(OLD_NS, [http("test-1", "http://shop/", '{"token": "{{secret "jwt-1"}}"}')], [])
    new = side(NEW_NS, [http("test-1", "http://shop/", '{"token": "{{secret "jwt-9"}}"}')], [])
    assert merged(old, new).is_empty


def test_what_was_learned_to_be_noise_stays_while_it_looks_like_that() -> None:
    rules = {"noise": {"body.nonce": ["^[0-9a-f]{8}$"]}}
    old = http("test-1", "http://app/a", '{"nonce": "28716cc4"}', assertions=rules)
    for nonce, changes in (("7056b129", 0), ("none", 1)):
        new = http("test-1", "http://app/a", f'{{"nonce": "{nonce}"}}')
        merged = merge(side(OLD_NS, [old], []), side(NEW_NS, [new], []), {"test-1": "test-1"})
        assert len(merged.tests) == changes


def test_an_id_beside_a_secret_is_followed() -> None:
    def recording(began_ns: int, identity: str, secret: str) -> Side:
        sql = f"INSERT INTO users (id, hash) VALUES ('{identity}', '{{{{secret \"{secret}\"}}}}')"
        return side(began_ns, [http("test-1", "http://shop/", "{}")], [query("startup.1", sql, [])])

    assert merged(recording(OLD_NS, OLD_ID, "password-hash-1"), recording(NEW_NS, NEW_ID, "password-hash-5")).is_empty


def overlapping(began_ns: int, owners: tuple[str, str]) -> Side:
    """Two tests that ask for the same two things, whoever is said to have asked."""
    tests = [http("test-1", "http://shop/one", "{}"), http("test-2", "http://shop/two", "{}")]
    paths = ("users/ann", "stock/tea")
    mocks = [http(f"{owner}.1", f"http://{path}", "{}") for owner, path in zip(owners, paths, strict=True)]
    return side(began_ns, tests, mocks)


@pytest.mark.parametrize("now", [("test-1", "test-2"), ("test-2", "test-1")])
def test_what_belonged_to_tests_that_overlapped_may_be_asked_by_either(now: tuple[str, str]) -> None:
    old = overlapping(OLD_NS, ("test-1+test-2", "test-2"))
    assert merged(old, overlapping(NEW_NS, now)).is_empty


def test_tests_that_overlap_now_are_matched_as_one_as_well() -> None:
    old = overlapping(OLD_NS, ("test-1", "test-2"))
    assert merged(old, overlapping(NEW_NS, ("test-1", "test-1+test-2"))).is_empty


def test_what_a_group_is_asked_for_no_more_goes() -> None:
    old = overlapping(OLD_NS, ("test-1+test-2", "test-2"))
    new = side(NEW_NS, list(old.tests.values()), [http("test-2.1", "http://stock/tea", "{}")])
    assert merged(old, new).removed == ["test-1+test-2.1"]


def test_calls_with_ids_that_nobody_has_met_find_theirs_by_all_else() -> None:
    def recording(began_ns: int, identity: str, items: tuple[str, str]) -> Side:
        calls = [
            http(f"test-1.{at}", f"http://stock/{identity}/{item}", "{}", method="POST")
            for at, item in enumerate(items)
        ]
        return side(began_ns, [http("test-1", "http://shop/", "{}")], calls)

    assert merged(recording(OLD_NS, OLD_ID, ("tea", "cup")), recording(NEW_NS, NEW_ID, ("cup", "tea"))).is_empty


def test_what_goes_elsewhere_is_another() -> None:
    test = [http("test-1", "http://shop/", "{}")]

    def asked(server: str) -> Document:
        made = query("startup.1", "SELECT 1", [])
        return Document(
            kind=made.kind, name=made.name, spec={**made.spec, "metadata": {**made.spec["metadata"], "server": server}}
        )

    both = [asked("one"), asked("other")]
    named = [Document(kind=one.kind, name=f"startup.{at + 1}", spec=one.spec) for at, one in enumerate(both)]
    turned = [Document(kind=one.kind, name=f"startup.{at + 1}", spec=one.spec) for at, one in enumerate(both[::-1])]
    assert merged(side(OLD_NS, test, named), side(NEW_NS, test, turned)).is_empty


def test_what_is_asked_at_any_time_may_fall_into_a_test_or_out_of_one() -> None:
    test = [http("test-1", "http://shop/", "{}")]
    poll = [http("background.1", "http://jobs/next", "[]")]
    in_a_test = [http("test-1.1", "http://jobs/next", "[]")]
    assert merged(side(OLD_NS, test, poll), side(NEW_NS, test, [*poll, *in_a_test])).is_empty
    assert merged(side(OLD_NS, test, in_a_test), side(NEW_NS, test, poll)).is_empty
    another_answer = [http("test-1.1", "http://jobs/next", '["clean"]')]
    assert merged(side(OLD_NS, test, poll), side(NEW_NS, test, [*poll, *another_answer])).added == ["test-1.1"]
