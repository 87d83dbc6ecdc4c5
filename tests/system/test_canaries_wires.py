"""Secrets through gRPC (HTTP/2) on both sides of the app, and through sockets whose protocol rr does not know: none is
found in any file that rr leaves, and the replay is green."""

from __future__ import annotations

import base64
import json
import shutil
import socketserver
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.harness.canaries import Canaries, Recorded, ground
from tests.harness.network import free_port

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "canaries" / "wires_app.py"

CANARIES = Canaries({
    "metadata, bearer": "M3tadataB3arer",
    "metadata, key": "M3tadataAp1Key",
    "metadata, binary": "M3tadataB1naryT0ken",
    "metadata, cookie": "M3tadataC00kie",
    "trailer": "Tra1l3rSess10nT0ken",
    "message, shape": "ghp_" + "m3sSaGe4u" * 4,
    "sent metadata": "S3ntM3tadataK3y",
    "sent metadata, binary": "S3ntM3tadataB1nT0k",
    "sent message, json": "S3ntM3ssageT0ken",
    "sent message, known": "S3ntM3ssageKn0wn",
    "environment": "Env1r0nmentS3cret",
    "answer, header": "Answ3rHead3rT0ken",
    "answer, trailer": "Answ3rTra1lerT0ken",
    "answer, message": "Answ3rM3ssagePa55",
    "answer, error": "Answ3rErr0rT0ken",
    "socket, login": "S0cketL0g1nPa55",
    "socket, login with a name": "S0cketNam3dPa55",
    "socket, array": "S0cketArrayPa55",
    "socket, base64": "S0cketB4se64Pa55",
    "socket, pass": "S0cketP4ssPa55",
    "socket, form": "S0cketF0rmT0ken",
    "socket, json": "S0cketJs0nPa55",
    "socket, bytes": "S0cketByt3sPa55",
    "socket, answer": "S0cketAnsw3rT0ken",
    "socket, known": "S0cketKn0wnT0ken",
    "websocket, cookie": "W3bS0cketC00kie",
})  # fmt: skip
C = CANARIES


@dataclass(frozen=True, slots=True)
class Step:
    """A call of the app, and what it does then."""

    does: dict[str, Any] = field(default_factory=dict)
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    needs_key: bool = False


def asks(message: str = "ann", *metadata: tuple[str, str]) -> dict[str, Any]:
    return {"grpc": {"message": message, "metadata": metadata}}


def steps() -> Iterator[Step]:
    yield Step()
    yield Step(metadata=(("authorization", f"Bearer {C['metadata, bearer']}"),), needs_key=True)
    yield Step(metadata=(("x-api-key", C["metadata, key"]),), needs_key=True)
    yield Step(metadata=(("x-auth-token-bin", b"\xff" + C["metadata, binary"].encode()),), needs_key=True)
    yield Step(metadata=(("cookie", f"sid={C['metadata, cookie']}"),), needs_key=True)
    yield Step(metadata=(("x-say", C["trailer"]),), needs_key=True)
    yield Step(metadata=(("x-note", f"as {C['message, shape']} says"),), needs_key=True)
    yield Step(asks())
    yield Step(asks("ann", ("x-api-key", C["sent metadata"])))
    yield Step(asks("ann", ("x-auth-token-bin", (b"\xff" + C["sent metadata, binary"].encode()).hex())))
    yield Step(
        asks(json.dumps({"token": C["sent message, json"], "n": "\u00ff"})), needs_key=True
    )  # it is answered too
    yield Step(asks("ann", ("x-api-key", C["sent message, known"])))
    yield Step(asks(f"as {C['sent message, known']} and {C['environment']} say"), needs_key=True)
    yield Step(asks("answers a header"), needs_key=True)
    yield Step(asks("answers a trailer"), needs_key=True)
    yield Step(asks("answers a message"), needs_key=True)
    yield Step(asks("answers an error"), needs_key=True)

    def says(*lines: str, needs_key: bool = True) -> Step:
        return Step({"socket": lines}, needs_key=needs_key)

    yield says("PING\r\n", needs_key=False)
    yield says(f"AUTH {C['socket, login']}\r\n", "PING\r\n")
    yield says(f"AUTH app {C['socket, login with a name']}\r\n", "PING\r\n")
    yield says(f"*2\r\n$4\r\nAUTH\r\n${len(C['socket, array'])}\r\n{C['socket, array']}\r\n")
    plain = base64.b64encode(b"\0app\0" + C["socket, base64"].encode()).decode()
    yield says(f"AUTH PLAIN {plain}\r\n")
    yield says("USER app\r\n", f"PASS {C['socket, pass']}\r\n")
    yield says(f"SET login?token={C['socket, form']} 1\r\n")
    yield says(f'SET {{"password": "{C["socket, json"]}"}}\r\n')
    yield says(f"\x00\xff\x01password={C['socket, bytes']}&\x00\r\n")
    yield says(f"SET token={C['socket, known']}\r\n", f"GET {C['socket, known']}\r\n")
    yield says("GET token\r\n")
    yield Step({"websocket": C["websocket, cookie"]}, needs_key=False)


def get(message: bytes, context: grpc.ServicerContext) -> bytes:
    if message == b"answers a header":
        context.send_initial_metadata((("x-refresh-token", C["answer, header"]),))
    elif message == b"answers a trailer":
        context.set_trailing_metadata((("x-refresh-token", C["answer, trailer"]),))
    elif message == b"answers a message":
        return b"\x0a\xff" + json.dumps({"password": C["answer, message"]}).encode()
    elif message == b"answers an error":
        context.abort(grpc.StatusCode.UNAUTHENTICATED, f"wrong token={C['answer, error']} for ann")
    return b"\x08" + message + b"\xff"


class Cache(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            if line == b"GET token\r\n":
                self.wfile.write(f"token={C['socket, answer']}\r\n".encode())
            elif line.startswith(b"GET /chat"):
                self.wfile.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                )
            elif not line.startswith((b"*", b"$")):
                self.wfile.write(b"+OK\r\n")


@contextmanager
def partners() -> Iterator[tuple[int, int]]:
    """The ports of the users' service, and of the cache."""
    users = grpc.server(ThreadPoolExecutor(2))
    methods = {"Get": grpc.unary_unary_rpc_method_handler(get)}
    users.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Users", methods),))
    port = users.add_insecure_port("127.0.0.1:0")
    users.start()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Cache) as cache:
        cache.daemon_threads = True
        threading.Thread(target=cache.serve_forever, args=(0.05,), daemon=True).start()
        yield port, cache.server_address[1]
        cache.shutdown()
    users.stop(None)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    tmp = tmp_path_factory.mktemp("canaries")
    port = free_port()
    plan = list(steps())
    (tmp / "steps.json").write_text(json.dumps([step.does for step in plan]))
    with partners() as (users, cache), ground(tmp) as place:
        shutil.copy(APP, place.rr.folder)
        settings = {
            "STEPS": str(tmp / "steps.json"), "PORT": str(port), "USERS": f"127.0.0.1:{users}",
            "CACHE_PORT": str(cache), "AUDIT_SECRET": C["environment"],
        }  # fmt: skip
        with place.rr.with_settings(**settings).record(f"{sys.executable} {APP.name}", port=port) as running:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                call = channel.unary_unary("/shop.Orders/Get")
                for number, step in enumerate(plan):
                    assert call(str(number).encode(), timeout=20, wait_for_ready=True, metadata=step.metadata)
            running.interrupt()
            assert running.wait() == 0, running.output
        needing = frozenset(f"test-{number}" for number, step in enumerate(plan, 1) if step.needs_key)
        yield Recorded(
            place, CANARIES, running.output, needing, settings=settings,
            broken=[("return zlib.crc32(repr(parts).encode()) % 997", "return repr(parts)"), ("-> int:", "-> str:")],
        )  # fmt: skip


def test_no_file_and_no_line_holds_one(recorded: Recorded) -> None:
    recorded.is_clean(output=recorded.output)


def test_each_of_them_went_through(recorded: Recorded) -> None:
    recorded.each_was_sealed()


def test_its_owner_replays_it_green(recorded: Recorded, tmp_path: Path) -> None:
    recorded.replays_green(tmp_path, XDG_DATA_HOME=str(recorded.rr.home / "data"))


def test_a_clone_with_the_key_is_green(recorded: Recorded, tmp_path: Path) -> None:
    recorded.replays_green(tmp_path, RR_KEY=recorded.key)


def test_a_broken_app_s_report_holds_none(recorded: Recorded, tmp_path: Path) -> None:
    recorded.fails_without_telling(tmp_path, APP.name)


def test_in_a_clone_without_it_exactly_those_are_errored_that_need_an_unborn_secret(
    recorded: Recorded, tmp_path: Path
) -> None:
    recorded.names_what_it_cannot_replay(tmp_path)
