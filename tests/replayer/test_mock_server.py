"""A mock server answers the same whether it knows a request by its bytes or has to read it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
import pymysql
import pytest

from replayer.loading import LoadedSet
from replayer.mock_server import MockServer, MockSet
from replayer.spool import Spool
from tests.harness.network import free_port
from testset.errors import PortTakenError
from testset.store import TestSet, TestSetStore

MOCK = """\
version: api.keploy.io/v1beta1
kind: Http
name: {name}
spec:
  metadata: {{type: HTTP_CLIENT, operation: GET}}
  req:
    method: GET
    url: {url}
    timestamp: '2026-01-01T10:00:0{number}Z'
  resp:
    status_code: 200
    body: '{body}'
    timestamp: '2026-01-01T10:00:0{number}Z'
"""
ID, OTHER = "afdc272e-d748-4108-a701-59802b93ea29", "44b0885e-e6e7-4e27-8ffe-97d87791b0b1"

# A field that is not ordinary, so that the request is read; and a request in two pieces.
WAYS = {"known": ("", 0), "read": ("Upgrade: x\r\n", 0), "in pieces": ("", 20)}


def recorded(folder: Path, *mocks: tuple[str, str]) -> TestSet:
    store = TestSetStore(folder / "keploy")
    (store.root / "mocks").mkdir(parents=True)
    text = "---\n".join(
        MOCK.format(name=f"session.{number}", url=url, body=body, number=number)
        for number, (url, body) in enumerate(mocks, 1)
    )
    (store.root / "mocks" / "mocks.yml").write_text(text, "utf-8")
    return store.get("mocks")


def ask(test_set: TestSet, paths: Sequence[str], way: str = "known") -> tuple[list[str], list[str]]:
    """The answers, and what the server told."""
    told: list[str] = []
    loaded = LoadedSet(test_set, TestSetStore(test_set.path.parent).vault())
    extra, cut = WAYS[way]

    async def run() -> list[str]:
        mocks = MockSet.read(loaded, told.append, lambda _count: None)
        async with MockServer(mocks, "127.0.0.1", {"users": 0}) as server:
            address = server.stands[0].address or ""
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
            answers = []
            for path in paths:
                data = f"GET {path} HTTP/1.1\r\nHost: whoever\r\n{extra}\r\n".encode()
                writer.write(data[:cut])
                await writer.drain()
                writer.write(data[cut:])
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
                body = (await reader.readexactly(length)).decode()
                answers.append(body if " 200 " in head else head.split()[1])
            writer.close()
            await writer.wait_closed()
            return answers

    return asyncio.run(asyncio.wait_for(run(), 20)), told


@pytest.mark.parametrize("way", WAYS)
def test_each_in_its_turn_then_the_last_again(tmp_path: Path, way: str) -> None:
    url = "http://users:8000/state"
    test_set = recorded(tmp_path, (url, "one"), ("http://users:8000/other", "other"), (url, "two"))
    answers, told = ask(test_set, ["/state", "/other", "/state", "/state", "/other"], way)
    assert answers == ["one", "other", "two", "two", "other"]
    assert told == []


def test_both_ways_take_from_the_same(tmp_path: Path) -> None:
    """`?a=1&b=2` and `?b=2&a=1` are one request: known by its bytes is only how it was recorded."""
    url = "http://users:8000/find?a=1&b=2"
    test_set = recorded(tmp_path, (url, "one"), (url, "two"), (url, "three"))
    answers, _ = ask(test_set, ["/find?b=2&a=1", "/find?a=1&b=2", "/find?b=2&a=1", "/find?a=1&b=2"])
    assert answers == ["one", "two", "three", "three"]


@pytest.mark.parametrize("way", WAYS)
def test_each_id_has_its_own_answer(tmp_path: Path, way: str) -> None:
    test_set = recorded(tmp_path, *((f"http://users:8000/users/{one}", f"is {one}") for one in (ID, OTHER)))
    answers, told = ask(test_set, [f"/users/{OTHER}", f"/users/{ID}", f"/users/{OTHER}", "/users"], way)
    assert answers == [f"is {OTHER}", f"is {ID}", f"is {OTHER}", "502"]
    assert len(told) == 1
    assert told[0].startswith("no mock for GET http://users:8000/users (nearest: session.")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_read_of_one_id_never_answers_for_another(tmp_path: Path, way: str) -> None:
    test_set = recorded(tmp_path, (f"http://users:8000/users/{ID}", f"is {ID}"))
    answers, _ = ask(test_set, [f"/users/{OTHER}", f"/users/{ID}"], way)
    assert answers == ["502", f"is {ID}"]


@pytest.mark.parametrize("way", WAYS)
def test_https_is_served_as_http(tmp_path: Path, way: str) -> None:
    test_set = recorded(tmp_path, ("https://users/state", "one"))
    assert ask(test_set, ["/state"], way) == (["one"], [])


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(tmp_path: Path) -> None:
    test_set = recorded(tmp_path, ("http://users:8000/state", "one"))
    loaded = LoadedSet(test_set, TestSetStore(test_set.path.parent).vault())
    mocks = MockSet.read(loaded, lambda _text: None, lambda _count: None)
    port = free_port()

    async def twice() -> None:
        first, second = (MockServer(mocks, "127.0.0.1", {name: port}) for name in ("users", "users:8000"))
        async with first, second:
            pytest.fail("both listen")

    with pytest.raises(PortTakenError, match=f"127.0.0.1:{port}"):
        asyncio.run(twice())


def test_answers_are_kept_in_memory_as_long_as_there_is_room() -> None:
    spool = Spool(10)
    kept = [spool.put(data) for data in (b"0123456", b"789abc", b"", b"def")]
    spool.seal()
    assert [isinstance(one, bytes) for one in kept] == [True, False, True, True]
    assert [spool.get(one) for one in kept] == [b"0123456", b"789abc", b"", b"def"]
    spool.close()


@pytest.mark.parametrize("recorded_in", ["1", "2"])
@pytest.mark.parametrize("asked_in", ["1", "2"])
def test_the_version_of_http_is_no_part_of_a_request(tmp_path: Path, recorded_in: str, asked_in: str) -> None:
    test_set = recorded(tmp_path, *((f"http://users:8000/users/{one}", f"is {one}") for one in (ID, OTHER)))
    if recorded_in == "2":
        path = test_set.path / "mocks.yml"
        text = path.read_text("utf-8").replace("method: GET\n", "method: GET\n    proto_major: 2\n")
        text = text.replace("status_code: 200\n", "status_code: 200\n    proto_major: 2\n    framing: frames\n")
        path.write_text(text, "utf-8")
    told: list[str] = []
    loaded = LoadedSet(test_set, TestSetStore(test_set.path.parent).vault())

    async def run() -> list[tuple[str, str]]:
        mocks = MockSet.read(loaded, told.append, lambda _count: None)
        async with MockServer(mocks, "127.0.0.1", {"users": 0}) as server:
            version_2 = asked_in == "2"
            address = server.stands[0].address or ""
            async with httpx.AsyncClient(base_url=address, http1=not version_2, http2=version_2) as client:
                del client.headers["accept"]  # as in the recording
                got = await asyncio.gather(*(client.get(f"/users/{one}") for one in (ID, OTHER) * 5))
                return [(one.http_version[:6], one.text) for one in got]

    version = f"HTTP/{asked_in}"
    assert asyncio.run(asyncio.wait_for(run(), 20)) == [(version, f"is {ID}"), (version, f"is {OTHER}")] * 5
    assert told == []


STATEMENT = """\
version: api.keploy.io/v1beta1
kind: MySQL
name: {name}
spec:
  metadata: {{type: mocks, requestOperation: COM_QUERY, server: 'shop:3306', database: shop}}
  requests:
    - message: {{query: '{query}'}}
  responses:
    - message: {answer}
"""
READ = "SELECT stock FROM items"
COLUMNS = "[{name: stock, type: LONGLONG}]"


def test_what_is_read_goes_by_the_last_write_however_often_both_are_made(tmp_path: Path) -> None:
    test_set = recorded(tmp_path)
    told = [("UPDATE items SET stock = 1", None), (READ, 1), ("UPDATE items SET stock = 2", None), (READ, 2)]
    text = "---\n".join(
        STATEMENT.format(
            name=f"session.{number}",
            query=query,
            answer="{affected_rows: 1}" if got is None else f"{{columns: {COLUMNS}, rows: [[{got}]]}}",
        )
        for number, (query, got) in enumerate(told, 1)
    )
    (test_set.path / "mocks.yml").write_text(text, "utf-8")

    def play(port: int) -> list[object]:
        connection = pymysql.connect(host="127.0.0.1", port=port, user="app", database="shop", ssl_disabled=True)
        with connection, connection.cursor() as cursor:
            got: list[object] = []
            for stock in (1, 2, 1, 1, 2, 2):
                cursor.execute(f"UPDATE items SET stock = {stock}")
                cursor.execute(READ)
                got += cursor.fetchall()
            return got

    async def run() -> list[object]:
        loaded = LoadedSet(test_set, TestSetStore(test_set.path.parent).vault())
        mocks = MockSet.read(loaded, lambda _: None, lambda _count: None)
        async with MockServer(mocks, "127.0.0.1", {"shop": 0}) as server:
            port = int((server.stands[0].address or "").rpartition(":")[2])
            return await asyncio.to_thread(play, port)

    assert asyncio.run(run()) == [(1,), (2,), (1,), (1,), (2,), (2,)]
