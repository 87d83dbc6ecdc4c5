"""An app to which the time is everything: tokens that live for a quarter of an hour, and `now` wherever it can be.

python token_app.py PORT DEPENDENCY SECURE_DEPENDENCY

POST /login gives a token out; GET /me takes one, its own or a partner's, and says when it was asked. Every request is
told to the dependency (what, and when); GET /secure asks the other one, over TLS. GET /today depends on the day alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = b"a key that the partner has as well"
LIFETIME = timedelta(minutes=15)


def signed(user: str, now: datetime) -> str:
    """A JSON web token (HS256)."""

    def part(value: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    expires = int((now + LIFETIME).timestamp())
    claims = {"sub": user, "iat": int(now.timestamp()), "exp": expires}
    content = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
    seal = base64.urlsafe_b64encode(hmac.digest(KEY, content, hashlib.sha256)).rstrip(b"=")
    return (content + b"." + seal).decode()


def checked(token: str, now: datetime) -> dict[str, Any]:
    """What the token says. Raises `ValueError`."""
    content, _, seal = token.rpartition(".")
    made = base64.urlsafe_b64encode(hmac.digest(KEY, content.encode(), hashlib.sha256)).rstrip(b"=").decode()
    if not hmac.compare_digest(made, seal):
        raise ValueError("the token is not ours")
    payload = content.partition(".")[2]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if not claims["iat"] - 5 <= now.timestamp() <= claims["exp"]:
        raise ValueError("the token has expired")
    return claims


class Tokens(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_request(self) -> None:
        now = datetime.now(UTC)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        said = {"what": self.path, "at": now.isoformat(), "ms": int(now.timestamp() * 1000)}
        ask(f"{sys.argv[2]}/echo/visits?at={int(now.timestamp())}", json.dumps(said).encode())
        try:
            answer: dict[str, Any] = {"at": now.isoformat(timespec="milliseconds"), **self.page(now, body)}
            status = 200
        except ValueError as error:
            answer, status = {"error": str(error)}, 401
        sent = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(sent)),
            "X-Served-At": f"{now.timestamp():.6f}",
            "Last-Modified": format_datetime(now, usegmt=True),
            "Set-Cookie": f"visit=1; Path=/; Expires={format_datetime(now + LIFETIME, usegmt=True)}",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)

    def page(self, now: datetime, body: bytes) -> dict[str, Any]:
        match self.path:
            case "/login":
                return {"token": signed(json.loads(body)["user"], now), "expires": (now + LIFETIME).isoformat()}
            case "/me":
                claims = checked(self.headers.get("Authorization", "").removeprefix("Bearer "), now)
                return {"user": claims["sub"], "until": datetime.fromtimestamp(claims["exp"], UTC).isoformat()}
            case "/today":
                ask(f"{sys.argv[2]}/users/{now:%d.%m.%Y}")
                return {"day": f"{now:%A}, {now:%d.%m.%Y}", "offer": sum(map(int, f"{now:%Y%m%d}"))}
            case "/secure":
                return {"said": ask(sys.argv[3]).decode()}
            case "/started":
                return {"started": STARTED.isoformat(), "zone": time.strftime("%Z %z"), "hash": hash("rr")}
            case "/wait":  # none of the clocks that only measure has moved
                began = time.monotonic()
                threading.Event().wait(0.05)
                time.sleep(0.05)
                return {"waited": 0.09 < time.monotonic() - began < 3}
        raise ValueError("there is no such page")

    do_GET = do_POST = handle_request

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def ask(url: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:
        got: bytes = answer.read()
        return got


if __name__ == "__main__":
    STARTED = datetime.now(UTC)
    assert os.environ.get("PYTHONHASHSEED"), "rr pins it"
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Tokens)
        server.daemon_threads = True
        server.serve_forever(0.05)
    except KeyboardInterrupt:
        pass
