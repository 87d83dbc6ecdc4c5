"""`rr mock serve` with 100, 1,000 and 100,000 mocks, asked for all of them at random; and a bare asyncio server."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.load import wrk
from bench.row import Options, Row
from bench.turns import Contestant, in_turns
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.rr_command import BIN, RR

CONNECTIONS = 8
START_CEILING = 300.0  # seconds to read 100,000 mocks, on a machine that has other things to do

MOCK = """\
version: api.keploy.io/v1beta1
kind: Http
name: test-{test}.{turn}
spec:
  metadata: {{type: HTTP_CLIENT, operation: GET}}
  req:
    method: GET
    url: http://localhost:{port}/users/{number}?full=1
    header:
      Accept: application/json
    timestamp: '2026-01-01T10:00:00Z'
  resp:
    status_code: 200
    header:
      Content-Type: application/json
    body: '{{"id": {number}, "name": "user {number}", "text": "{text}"}}'
    timestamp: '2026-01-01T10:00:00.004Z'
"""

SCRIPT = """\
function request()
  return "GET /users/" .. math.random(0, {count} - 1) .. "?full=1 HTTP/1.1\\r\\nHost: localhost:{port}\\r\\n"
    .. "Accept: application/json\\r\\n\\r\\n"
end
"""

# What Python can do with the same answers if it does nothing else.
BARE = """
import asyncio, sys
import httptools

answers = {}
for number in range(1000):
    body = b'{"id": %d, "name": "user %d", "text": "%s"}' % (number, number, b"x" * 200)
    head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
    answers[b"/users/%d?full=1" % number] = head + body


class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_url(self, url):
        self.url = url

    def on_header(self, name, value):
        pass

    def on_message_complete(self):
        self.transport.write(answers[self.url])


async def main():
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
"""


def measure(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="rr-bench-") as temporary:
        folder = Path(temporary)
        with bare(folder) as port, served(folder, 1000) as rr:
            rates = {
                "rr": Contestant(partial(rate, folder, 1000, rr, options)),
                "bare": Contestant(partial(rate, folder, 1000, port, options)),
            }
            found = in_turns(rates, options.rounds)
            yield Row(
                name="mock serve, 1,000 mocks, against bare httptools",
                ours=found["rr"],
                theirs=found["bare"],
                unit="requests/s",
                floor=0.3,
                goal=0.7,
            )
        with served(folder, 100) as few, served(folder, 100_000) as many:
            rates = {
                "many": Contestant(partial(rate, folder, 100_000, many, options)),
                "few": Contestant(partial(rate, folder, 100, few, options)),
            }
            found = in_turns(rates, options.rounds)
            yield Row(
                name="mock serve, 100,000 mocks, against 100",
                ours=found["many"],
                theirs=found["few"],
                unit="requests/s",
                floor=1 / 1.3,
                goal=1 / 1.1,
            )


def rate(folder: Path, count: int, port: int, options: Options) -> float:
    script = folder / f"{count}-{port}.lua"
    script.write_text(SCRIPT.format(count=count, port=port), "utf-8")
    return wrk(f"http://127.0.0.1:{port}/", CONNECTIONS, options.seconds, script).requests_per_second


@contextmanager
def bare(folder: Path) -> Iterator[int]:
    port = free_port()
    with Running([sys.executable, "-c", BARE, str(port)], log=folder / "bare.log") as running:
        running.until(lambda: listens(port), "the bare server listens")
        yield port


@contextmanager
def served(folder: Path, count: int) -> Iterator[int]:
    port = free_port()
    project, home = folder / f"project-{count}", folder / f"home-{count}"
    mocks = project / "keploy" / "mocks" / "mocks.yml"
    mocks.parent.mkdir(parents=True)
    home.mkdir()
    with mocks.open("w", encoding="utf-8") as file:
        for number in range(count):
            file.write("---\n" if number else "")
            test, turn = divmod(number, 10)
            file.write(MOCK.format(test=test + 1, turn=turn + 1, number=number, port=port, text="x" * 200))
    command = [str(BIN / "rr"), "mock", "serve"]
    with Running(command, log=home / "serve.log", cwd=project, env=RR(project, home).env) as running:
        running.until(lambda: listens(port), f"rr serves {count} mocks", START_CEILING)
        yield port
