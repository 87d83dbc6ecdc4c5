"""`rr record --dedup`: which tests are gone, and which stay although they look alike."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from rr.dedup import drop_doubles
from testset.store import TestSetStore

IDS = [f"{n}0885e44-e6e7-4e27-8ffe-97d87791b0b{n}" for n in range(1, 8)]


@dataclass
class Recording:
    """A set on disk, made test by test."""

    folder: Path
    mocks: list[dict[str, Any]] = field(default_factory=list)
    seconds: int = 0
    count: int = 0

    def moment(self) -> str:
        self.seconds += 1
        return f"2026-11-21T04:{self.seconds // 60:02}:{self.seconds % 60:02}Z"

    def test(
        self,
        line: str,
        body: Any = None,
        *,
        answer: Any,
        status: int = 200,
        calls: str | None = None,
        group: str = "",
        headers: dict[str, str] | None = None,
    ) -> str:
        """`calls`: what the app asks for meanwhile; `group`: whose that is, if it is not this test's alone."""
        self.count += 1
        name = f"test-{self.count}"
        method, _, path = line.partition(" ")
        req: dict[str, Any] = {"method": method, "url": f"http://localhost:8080{path}", "timestamp": self.moment()}
        if headers:
            req["header"] = headers
        if body is not None:
            req |= {"header": {"Content-Type": "application/json"}, "body": json.dumps(body)}
        if calls is not None:
            self.call(group or name, calls)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        resp = {"status_code": status, "body": text, "timestamp": self.moment()}
        path_of = self.folder / "tests" / f"{name}.yml"
        path_of.parent.mkdir(parents=True, exist_ok=True)
        path_of.write_text(yaml.safe_dump(self.document(name, req, resp)), "utf-8")
        return name

    def call(self, owner: str, line: str) -> None:
        method, _, url = line.partition(" ")
        number = sum(one["name"].startswith(f"{owner}.") for one in self.mocks) + 1
        req = {"method": method, "url": url, "timestamp": self.moment()}
        resp = {"status_code": 200, "body": "{}", "timestamp": self.moment()}
        self.mocks.append(self.document(f"{owner}.{number}", req, resp))

    def document(self, name: str, req: dict[str, Any], resp: dict[str, Any]) -> dict[str, Any]:
        spec = {"req": req, "resp": resp}
        return {"version": "api.keploy.io/v1beta1", "kind": "Http", "name": name, "spec": spec}

    def dropped(self) -> list[str]:
        """What `drop_doubles` says is gone, which is what is gone."""
        if self.mocks:
            (self.folder / "mocks.yml").write_text(yaml.safe_dump_all(self.mocks), "utf-8")
        store = TestSetStore(self.folder.parent)
        gone = drop_doubles(store.get(self.folder.name), store.vault())
        left = {path.stem for path in store.get(self.folder.name).test_paths()}
        assert left == {f"test-{n}" for n in range(1, self.count + 1)} - set(gone)
        return gone

    @property
    def mocks_left(self) -> list[str]:
        return [document.name for _, document in TestSetStore(self.folder.parent).get(self.folder.name).mocks()]


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "keploy" / "test-set-0")


def test_the_same_request_with_the_same_answer_is_there_once(recording: Recording) -> None:
    for _ in range(3):
        recording.test("GET /products", answer=[{"id": 1}])
    assert recording.dropped() == ["test-2", "test-3"]


def test_its_mocks_go_with_it_and_those_of_others_stay(recording: Recording) -> None:
    for _ in range(2):
        recording.test("GET /products", answer=[], calls="GET http://stock/items")
    recording.test("GET /users", answer=[], calls="GET http://users/all")
    assert recording.dropped() == ["test-2"]
    assert recording.mocks_left == ["test-1.1", "test-3.1"]


def test_a_request_that_differs_in_what_is_made_up_anew_is_the_same(recording: Recording) -> None:
    """A key that the client makes up for each order, and the id that the app gives it."""
    for key, order in zip(IDS[:3], IDS[3:6], strict=True):
        recording.test("POST /orders", {"key": key, "item": "cup"}, answer={"id": order}, status=201)
    assert recording.dropped() == ["test-2", "test-3"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GET /products", "GET /users"),
        ("GET /products", "DELETE /products"),
        ("GET /products?page=1", "GET /products?page=2"),
        ("GET /products", "GET /products?page=1"),
        ("GET /products/7", "GET /products/8"),
    ],
)
def test_another_request_is_another_test(one: str, other: str, recording: Recording) -> None:
    recording.test(one, answer={})
    recording.test(other, answer={})
    assert recording.dropped() == []


def test_another_body_is_another_test(recording: Recording) -> None:
    for item in ("cup", "pot"):
        recording.test("POST /orders", {"item": item}, answer={"id": IDS[0]})
    assert recording.dropped() == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"id": 1}, {"id": 1, "name": "cup"}),
        ({"id": 1}, {"id": "1"}),
        ([], [{"id": 1}]),
        ({"items": []}, {"items": [{"id": 1}]}),
        ("<p>one</p>", "<p>two</p>"),
        ({"id": 1}, "<p>one</p>"),
    ],
)
def test_an_answer_of_another_form_is_another_test(one: Any, other: Any, recording: Recording) -> None:
    recording.test("GET /products", answer=one)
    recording.test("GET /products", answer=other)
    assert recording.dropped() == []


def test_another_status_is_another_test(recording: Recording) -> None:
    recording.test("GET /products", answer={"id": 1})
    recording.test("GET /products", answer={"id": 1}, status=404)
    assert recording.dropped() == []


def test_answers_of_the_same_form_are_of_the_same_sort(recording: Recording) -> None:
    """However long a list is, and whatever its values are."""
    for stock in ([5], [4, 3], [1, 2, 3]):
        recording.test("GET /products", answer=[{"name": "cup", "stock": one} for one in stock])
    assert recording.dropped() == ["test-2", "test-3"]


def test_one_stays_if_a_later_test_speaks_of_what_it_has_made(recording: Recording) -> None:
    for order in IDS[:2]:
        recording.test("POST /orders", {"item": "cup"}, answer={"id": order}, status=201)
    recording.test(f"POST /orders/{IDS[1]}/cancel", answer={})
    assert recording.dropped() == []


def test_one_that_only_another_double_needs_is_gone_as_well(recording: Recording) -> None:
    for order in IDS[:2]:
        recording.test("POST /orders", {"item": "cup"}, answer={"id": order}, status=201)
        recording.test(f"GET /orders/{order}", answer={"id": order, "state": "open"})
    assert recording.dropped() == ["test-3", "test-4"]


def test_what_a_group_of_tests_has_called_stays(recording: Recording) -> None:
    """Requests that overlapped: nobody knows whose call it was."""
    recording.test("GET /products", answer=[], calls="GET http://stock/items", group="test-1+test-2")
    recording.test("GET /products", answer=[])
    gone = recording.dropped()
    assert recording.mocks_left == ["test-1+test-2.1"]
    assert gone == ["test-2"]


def test_a_set_without_doubles_is_left_alone(recording: Recording) -> None:
    recording.test("GET /products", answer=[], calls="GET http://stock/items")
    (recording.folder / "mocks.yml").write_text(yaml.safe_dump_all(recording.mocks), "utf-8")
    before = {path: path.read_bytes() for path in recording.folder.rglob("*.yml")}
    assert recording.dropped() == []
    assert {path: path.read_bytes() for path in recording.folder.rglob("*.yml")} == before
