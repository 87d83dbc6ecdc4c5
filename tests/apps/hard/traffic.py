"""What clients ask of the four apps, and the apps as recorded, with what was learned of them."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

from tests.apps.dependency import Dependency
from tests.harness.company import Company
from tests.harness.mysql_servers import DATABASE, Server
from tests.harness.network import free_port
from tests.harness.rr_command import RR
from tests.harness.tls_server import Page, TlsServer
from tests.harness.waiting import eventually

HERE = Path(__file__).parent
NAMES = ("nonces", "now", "sessions", "parallel")
_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def ask(
    port: int, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> tuple[Any, HTTPMessage]:
    sent = None if body is None else json.dumps(body).encode()
    known = {"Content-Type": "application/json"} if sent is not None else {}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data=sent, headers={**known, **(headers or {})}, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer), answer.headers


def nonces(port: int) -> None:
    """Two orders, both looked at, one cancelled."""
    token = ask(port, "POST", "/login", {"user": "zoe"})[0]["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    first, second = (ask(port, "POST", "/orders", {"amount": amount}, bearer)[0]["id"] for amount in (25, 40))
    for number in (first, second):
        ask(port, "GET", f"/orders/{number}")
    ask(port, "GET", "/orders")
    ask(port, "DELETE", f"/orders/{first}")


def now(port: int) -> None:
    for who in ("ada", "bob"):
        ask(port, "POST", "/visits", {"who": who})
    ask(port, "GET", "/today")
    ask(port, "GET", "/quotes/tea")


def sessions(port: int) -> None:
    """Two shoppers, one after the other at the same counter."""
    cookies: dict[str, str] = {}
    forms: dict[str, str] = {}

    def step(who: str, method: str, path: str, body: Any = None) -> None:
        headers = {"Cookie": cookies[who], "X-Csrf": forms[who]} if who in cookies else {}
        answer, got = ask(port, method, path, body, headers)
        if "Set-Cookie" in got:
            cookies[who], forms[who] = got["Set-Cookie"].partition(";")[0], answer["csrf"]

    for who in ("ada", "bob"):
        step(who, "POST", "/login", {"user": who})
    for who, item in (("ada", "tea"), ("bob", "cup"), ("ada", "pot")):
        step(who, "POST", "/cart", {"item": item})
    for who in ("ada", "bob"):
        step(who, "GET", "/cart")
        step(who, "POST", "/checkout", {})


def parallel(port: int) -> None:
    """Four at a time."""
    items = [f"i-{number}" for number in range(8)]

    def one(number: int) -> None:
        if number % 2:
            ask(port, "GET", f"/look/{items[number]}")
        else:
            ask(port, "POST", "/baskets", {"user": f"u-{number}", "items": items[number : number + 3]})

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(one, range(len(items))))


TRAFFIC: Mapping[str, Callable[[int], None]] = {
    "nonces": nonces, "now": now, "sessions": sessions, "parallel": parallel,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hard:
    """One of the apps in a project of its own."""

    name: str
    rr: RR
    tests: Mapping[str, list[str]]  # "POST /orders" -> ["test-2", "test-3"]

    def copy(self, folder: Path) -> Hard:
        """The same project in another place, where it may be changed."""
        shutil.copytree(self.rr.folder, folder)
        return Hard(self.name, RR(folder, self.rr.home, self.rr.prefix, self.rr.settings), self.tests)

    @property
    def source(self) -> Path:
        return self.rr.folder / "hard" / f"{self.name}.py"


@dataclass(frozen=True, slots=True)
class World:
    """What the apps depend on."""

    one: Dependency
    other: Dependency
    secure: TlsServer
    root: Path  # whom the secure one trusts
    database: Server

    def arguments(self, name: str) -> list[str]:
        return {"now": [self.secure.url], "parallel": [self.one.url, self.other.url]}.get(name, [self.one.url])

    def reset(self) -> None:
        """The state in which every recording begins."""
        self.database.sql(f"DROP TABLE IF EXISTS {DATABASE}.visits")


@contextmanager
def world(folder: Path, company: Company, database: Server) -> Iterator[World]:
    root = folder / "company.pem"
    root.write_bytes(company.root)

    def pages(_: object) -> Page:
        return Page(b'{"offer": 42}', {"Content-Type": "application/json"})

    with Dependency() as one, Dependency() as other, TlsServer(company.server(folder), pages) as secure:
        yield World(one, other, secure, root, database)


def record(name: str, folder: Path, around: World) -> Hard:
    """Record an app with its world, and learn what differs."""
    project, home = folder / "project", folder / "home"
    project.mkdir(parents=True)
    home.mkdir()
    shutil.copytree(HERE, project / "hard", ignore=shutil.ignore_patterns("__pycache__"))
    around.reset()
    rr = RR(project, home).with_settings(
        **around.database.settings, SSL_CERT_FILE=str(around.root), RR_RECORD_LEARN="true"
    )
    eventually(_no_day_may_begin, "a moment at which no day begins anywhere")
    port = free_port()
    command = " ".join(["python", "-m", f"hard.{name}", str(port), *around.arguments(name)])
    with rr.record(command, port=port) as recording:
        TRAFFIC[name](port)
        recording.interrupt()
        assert recording.wait(60) == 0, recording.output
    return Hard(name, rr, _tests(rr.keploy / "test-set-0"))


def _no_day_may_begin() -> bool:
    """Just before a full quarter of an hour it is midnight soon, somewhere: a date may be tomorrow's as well."""
    return time.time() % 900 < 885


def _tests(test_set: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted((test_set / "tests").iterdir(), key=lambda one: int(one.stem.rpartition("-")[2])):
        asked = re.search(r"method: (\w+)\n\s+url: \S+?://[^/]+(\S*)", path.read_text("utf-8"))
        assert asked is not None, path
        found.setdefault(f"{asked[1]} {_IDS.sub('ID', asked[2])}", []).append(path.stem)
    return found
