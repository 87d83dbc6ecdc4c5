"""An app that does what its environment says and writes down what it heard, to see what an app can reach.

    python probe_app.py     with PORT, ASK (one HTTP request), TRY (places to reach) and HEARD (the file to write)

`GET /ask` makes the request; `GET /try` connects to each place, says hello and waits for an answer. Both answer the
same whatever came of it, so that a replay compares nothing but what left the app.
"""

from __future__ import annotations

import json
import os
import socket
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HELLO = b"GET /hello HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n"
WAIT = 0.3  # seconds for an answer that should never come


def ask() -> Any:
    wanted = json.loads(os.environ["ASK"])
    body = wanted.get("body")
    request = urllib.request.Request(
        wanted["url"],
        data=None if body is None else json.dumps(body).encode(),
        method=wanted["method"],
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as answer:
        return [answer.code, answer.read().decode()]
    except OSError as error:
        return [0, str(error)]


def reach(place: list[Any]) -> str:
    kind, *where = place
    families = {"tcp": socket.AF_INET, "tcp6": socket.AF_INET6, "udp": socket.AF_INET}
    sort = socket.SOCK_DGRAM if kind in ("udp", "datagram") else socket.SOCK_STREAM
    with socket.socket(families.get(kind, socket.AF_UNIX), sort) as sock:
        sock.settimeout(WAIT)
        address: Any = "\0" + where[0] if kind == "abstract" else where[0] if len(where) == 1 else tuple(where)
        try:
            sock.connect(address)
            sock.sendall(HELLO)
            return sock.recv(65536).decode("utf-8", "replace").partition("\r\n")[0]
        except OSError as error:
            return type(error).__name__


def resolve(name: str) -> str:
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        return type(error).__name__


class Probe(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        heard: Any = None
        if self.path == "/ask":
            heard = ask()
        elif self.path == "/try":
            places = json.loads(os.environ["TRY"])
            heard = [resolve(place[1]) if place[0] == "name" else reach(place) for place in places]
        with open(os.environ["HEARD"], "w") as file:
            json.dump(heard, file)
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


if __name__ == "__main__":
    try:
        ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Probe).serve_forever(0.05)
    except KeyboardInterrupt:
        pass
