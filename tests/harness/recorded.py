"""What rr wrote to disk, read back: the exchanges, with bodies as bytes wherever they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocols.http import yaml as http
from testset.model import Body, Exchange, FileBody
from testset.store import TestSet


@dataclass(frozen=True, slots=True)
class Recorded:
    """An HTTP exchange of a test set."""

    name: str
    exchange: Exchange[Any, Any]
    request_body: bytes
    response_body: bytes

    @property
    def owner(self) -> str:
        """Of a mock: the test whose it is."""
        return self.name.rpartition(".")[0]

    @property
    def line(self) -> str:
        return f"{self.exchange.request.method} {self.exchange.request.target}"

    @property
    def answer(self) -> Any:
        """Its response, where there is one."""
        assert self.exchange.response is not None, f"{self.name} has no response"
        return self.exchange.response

    @property
    def status(self) -> int | None:
        return None if self.exchange.response is None else self.exchange.response.status


def recorded_tests(path: Path) -> list[Recorded]:
    test_set = TestSet(path)
    return [
        _recorded(test_set, document.name, http.from_spec(document.kind, document.spec))
        for document in test_set.tests()
    ]


def recorded_mocks(path: Path) -> list[Recorded]:
    """The HTTP mocks, in the order of the recording."""
    test_set = TestSet(path)
    return [
        _recorded(test_set, document.name, http.from_spec(document.kind, document.spec))
        for _, document in test_set.mocks()
        if document.kind == "Http"
    ]


def mock_kinds(path: Path) -> set[str]:
    return {document.kind for _, document in TestSet(path).mocks()}


def _recorded(test_set: TestSet, name: str, exchange: Exchange[Any, Any]) -> Recorded:
    def whole(body: Body) -> bytes:
        return test_set.asset(str(body.path)).read_bytes() if isinstance(body, FileBody) else body

    response = exchange.response
    return Recorded(name, exchange, whole(exchange.request.body), b"" if response is None else whole(response.body))
