"""What `rr test` itself takes for one test: 1,500 tests of a trivial app, less what the app takes to answer them."""

from __future__ import annotations

import shlex
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.load import LoadError
from bench.row import Options, Row
from bench.turns import Contestant, in_turns
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.rr_command import RR

TESTS = 1500

# One connection after another, no framework: what it takes is little, so that rr's share is not lost in it.
APP = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
while True:
    client, _ = listener.accept()
    data = client.recv(65536)
    if not data:  # somebody looked whether it listens
        client.close()
        continue
    number = data.split(b" ", 2)[1].rpartition(b"/")[2]
    body = b'{"id": %b, "name": "item", "tags": ["a", "b"], "price": 12.5}' % number
    head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\nConnection: close"
    client.sendall(head % len(body) + b"\\r\\n\\r\\n" + body)
    client.close()
"""

TEST = """\
version: api.keploy.io/v1beta1
kind: Http
name: test-{number}
spec:
  req:
    method: GET
    url: http://localhost:{port}/items/{number}
    header:
      Host: localhost:{port}
      Accept: application/json
      User-Agent: bench/1.0
    timestamp: '2026-01-01T10:00:{second:06.3f}Z'
  resp:
    status_code: 200
    header:
      Content-Type: application/json
      Connection: close
    body_format: json-python
    body: |-
      {{
        "id": {number},
        "name": "item",
        "tags": [
          "a",
          "b"
        ],
        "price": 12.5
      }}
    timestamp: '2026-01-01T10:00:{second:06.3f}Z'
"""


def measure(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="rr-bench-") as temporary:
        folder = Path(temporary)
        port = free_port()
        rr = _project(folder, port)
        command = [sys.executable, "app.py", str(port)]

        def with_rr() -> float:
            began = time.perf_counter()
            done = rr.test("-c", shlex.join(command), ceiling=300)
            took = time.perf_counter() - began
            if done.code != 0:
                raise LoadError(f"rr test was not green\n{done.output[-2000:]}")
            return took / TESTS * 1000

        def without() -> float:
            with Running(command, log=folder / "app.log", cwd=rr.folder) as app:
                app.until(lambda: listens(port), "the app listens")
                began = time.perf_counter()
                for number in range(1, TESTS + 1):
                    _ask(port, number)
                return (time.perf_counter() - began) / TESTS * 1000

        contestants = {"rr": Contestant(with_rr), "app": Contestant(without)}
        figures = in_turns(contestants, min(options.rounds, 3))
        yield Row(
            name=f"rr test, {TESTS:,} tests, rr's own share of one",
            ours=figures["rr"],
            theirs=figures["app"],
            unit="ms/test",
            floor=3.0,
            goal=1.0,
            added=True,
        )


def _project(folder: Path, port: int) -> RR:
    project, home = folder / "project", folder / "home"
    tests = project / "keploy" / "test-set-0" / "tests"
    tests.mkdir(parents=True)
    home.mkdir()
    (project / "app.py").write_text(APP)
    for number in range(1, TESTS + 1):
        text = TEST.format(number=number, port=port, second=number * 0.01)
        (tests / f"test-{number}.yml").write_text(text)
    return RR(project, home)


def _ask(port: int, number: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(f"GET /items/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        while sock.recv(65536):
            pass
