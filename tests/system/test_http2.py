"""Apps that speak HTTP/2 in clear, to their clients and to what they depend on: recorded, and replayed without it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from intercept.authority import Authority, certificate_of, new_authority
from tests.harness.network import listens
from tests.harness.processes import Running
from tests.harness.programs import program
from tests.harness.recorded import recorded_mocks, recorded_tests
from tests.harness.rr_command import RR
from tests.harness.waiting import eventually
from testset.model import Ending

pytestmark = pytest.mark.system

APPS = Path(__file__).parent.parent / "apps"


@contextmanager
def running(app: str, port: int, log: Path, **settings: str) -> Iterator[Running]:
    """What the app depends on."""
    command: list[str | Path] = [program("node") if app.endswith(".js") else sys.executable, APPS / app, str(port)]
    with Running(command, log=log, env={**os.environ, **settings}) as started:
        eventually(lambda: listens(port), f"{app} listens")
        yield started


def set_of(rr: RR) -> Path:
    return rr.keploy / "test-set-0"


# -- an HTTP API ------------------------------------------------------------------------------------------------


async def use(port: int, scheme: str = "http") -> None:
    async with httpx.AsyncClient(
        http1=False, http2=True, base_url=f"{scheme}://localhost:{port}", timeout=20, verify=False
    ) as client:
        made = await client.post("/orders", json={"item": "tea"})
        assert (made.status_code, made.http_version, made.json()["item"]) == (201, "HTTP/2", "tea")
        assert len((await client.get("/many")).json()) == 8
        assert (await client.get("/large/4000")).json() == {"size": 4000 * 256}


@pytest.fixture
def recorded_api(rr: RR, port: int, unused_port: int, tmp_path: Path) -> RR:
    app = f"{sys.executable} {APPS / 'http2_app.py'} {port} http://127.0.0.1:{unused_port}"
    with running("http2_app.py", unused_port, tmp_path / "users.log"), rr.record(app, port=port) as recording:
        asyncio.run(use(port))
        curl = [program("curl"), "--silent", "--http2-prior-knowledge", f"http://127.0.0.1:{port}/many"]
        assert len(subprocess.run(curl, capture_output=True, check=True, timeout=20).stdout) > 100
        recording.interrupt()
        assert recording.wait(30) == 0, recording.output
    return rr


def test_an_api_that_speaks_http_2_is_recorded_and_replayed(recorded_api: RR) -> None:
    tests = recorded_tests(set_of(recorded_api))
    assert [test.line for test in tests] == ["POST /orders", "GET /many", "GET /large/4000", "GET /many"]
    assert {test.exchange.request.version for test in tests} == {"2"}
    mocks = recorded_mocks(set_of(recorded_api))
    assert {mock.exchange.request.version for mock in mocks} == {"2"}
    assert sorted(mock.line for mock in mocks if mock.owner == "test-2") == [f"GET /users/{n}" for n in range(8)]
    assert [len(mock.response_body) for mock in mocks if mock.line == "GET /large/4000"] == [4000 * 256]
    assert "proto_major: 2" in (set_of(recorded_api) / "tests" / "test-1.yml").read_text("utf-8")

    for _ in range(3):
        replay = recorded_api.test()
        assert replay.code == 0, replay.output


def test_a_change_of_an_answer_over_http_2_is_found(recorded_api: RR) -> None:
    mocks = set_of(recorded_api) / "mocks.yml"
    mocks.write_text(mocks.read_text("utf-8").replace('"/users/3"', '"/users/three"'), "utf-8")
    replay = recorded_api.test()
    assert replay.code == 1, replay.output
    assert "/users/3" in replay.output


def test_another_implementation_with_trailers_and_early_hints(
    rr: RR, port: int, unused_port: int, tmp_path: Path
) -> None:
    app = f"node {APPS / 'http2_app.js'} {port} http://127.0.0.1:{unused_port}"
    curl = [program("curl"), "--silent", "--http2-prior-knowledge", f"http://127.0.0.1:{port}/orders"]
    with running("http2_app.js", unused_port, tmp_path / "users.log"), rr.record(app, port=port) as recording:
        for _ in range(2):
            got = subprocess.run(curl, capture_output=True, check=True, timeout=20).stdout
            assert json.loads(got) == [["/none", 0, "0"], ["/small", 10, "3"], ["/large", 500_000, "300000"]]
        recording.interrupt()
        assert recording.wait(30) == 0, recording.output
    mocks = recorded_mocks(set_of(rr))
    assert [mock.line for mock in mocks] == ["POST /none", "POST /small", "POST /large"] * 2
    assert [mock.answer.trailers for mock in mocks[:3]] == [(("x-came", n),) for n in ("0", "3", "300000")]
    assert {mock.answer.interim[0].status for mock in mocks} == {103}
    replay = rr.test()
    assert replay.code == 0, replay.output


def test_http_2_inside_tls_to_both_sides(rr: RR, port: int, unused_port: int, tmp_path: Path) -> None:
    """The machine trusts an authority of its own, as companies have them."""
    authority = new_authority()
    (tmp_path / "roots.pem").write_bytes(certificate_of(authority))
    (tmp_path / "server.pem").write_bytes(Authority.of(authority).leaf("localhost", datetime.now(UTC)))
    certificate, roots = str(tmp_path / "server.pem"), str(tmp_path / "roots.pem")
    rr = rr.with_settings(SSL_CERT_FILE=roots, CERTIFICATE=certificate)
    app = f"{sys.executable} {APPS / 'http2_app.py'} {port} https://localhost:{unused_port}"
    with (
        running("http2_app.py", unused_port, tmp_path / "users.log", CERTIFICATE=certificate),
        rr.record(app, port=port) as recording,
    ):
        asyncio.run(use(port, "https"))
        recording.interrupt()
        assert recording.wait(30) == 0, recording.output
    tests, mocks = recorded_tests(set_of(rr)), recorded_mocks(set_of(rr))
    assert [test.line for test in tests] == ["POST /orders", "GET /many", "GET /large/4000"]
    assert len(mocks) == 10
    for one in [*tests, *mocks]:
        assert (one.exchange.request.version, one.exchange.request.scheme) == ("2", "https"), one.name
    for _ in range(3):
        replay = rr.test()
        assert replay.code == 0, replay.output


# -- gRPC -------------------------------------------------------------------------------------------------------


def call(channel: grpc.Channel, name: bytes) -> Any:
    return channel.unary_unary("/shop.Orders/Get")(name, timeout=20, wait_for_ready=True)


@pytest.fixture
def recorded_grpc(rr: RR, port: int, unused_port: int, tmp_path: Path) -> RR:
    app = f"{sys.executable} {APPS / 'grpc_app.py'} {port} 127.0.0.1:{unused_port}"
    with running("grpc_app.py", unused_port, tmp_path / "users.log"), rr.record(app, port=port) as recording:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert call(channel, b"ann").startswith(b"order of \x08ann\xff")
            assert call(channel, b"bob").startswith(b"order of \x08bob\xff")
            with pytest.raises(grpc.RpcError) as failed:
                call(channel, b"nobody")
            assert (failed.value.code(), failed.value.details()) == (
                grpc.StatusCode.NOT_FOUND,
                "users: no such user: näme",
            )
            sizes = channel.unary_stream("/shop.Orders/Sizes")(b"12", timeout=20)
            assert list(sizes) == [b"60000"] * 10 + [b"70000"] * 2
        recording.interrupt()
        assert recording.wait(30) == 0, recording.output
    return rr


def test_grpc_is_recorded_and_replayed(recorded_grpc: RR) -> None:
    tests = recorded_tests(set_of(recorded_grpc))
    assert [test.line for test in tests] == ["POST /shop.Orders/Get"] * 3 + ["POST /shop.Orders/Sizes"]
    statuses = [dict(test.answer.trailers or test.answer.headers)["grpc-status"] for test in tests]
    assert statuses == ["0", "0", "5", "0"]
    [watch] = [mock for mock in recorded_mocks(set_of(recorded_grpc)) if mock.line == "POST /shop.Users/Watch"]
    assert (watch.owner, watch.exchange.ending) == ("startup", Ending.GIVEN_UP)
    assert b"\x08ann\xff" in tests[0].response_body
    for _ in range(3):
        replay = recorded_grpc.test()
        assert replay.code == 0, replay.output


def test_a_grpc_call_that_was_not_recorded_is_an_error_in_grpc_s_own_terms(recorded_grpc: RR) -> None:
    mocks = set_of(recorded_grpc) / "mocks.yml"
    mocks.write_text(mocks.read_text("utf-8").replace("/shop.Users/Get", "/shop.Users/Find"), "utf-8")
    replay = recorded_grpc.test()
    assert replay.code == 1, replay.output
    assert "POST http://localhost" in replay.output
    assert "/shop.Users/Get" in replay.output
