"""An app that handles secrets in every place there is, and answers in a way that shows that it got the right ones.

    PARTNER_SECRET=… python http_app.py PORT PARTNER_URL --api-key …

It answers with a checksum of what it was sent (a small number: no one takes it for made up), so that a replay is green
only if each secret reached it as it was. What it tells others it makes of its environment and of its command line. With
CERTIFICATE, a file with a key as well, it serves in TLS.
"""

from __future__ import annotations

import json
import os
import secrets
import ssl
import sys
import urllib.error
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PORT, PARTNER, _, KEY = sys.argv[1:5]
SECRET = os.environ["PARTNER_SECRET"]
TOKENS: set[str] = set()
BY_THE_WAY = ("host", "connection", "content-length")


def checksum(*parts: bytes) -> int:
    return zlib.crc32(b"\0".join(parts)) % 997


def ask_partner(path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
    request = urllib.request.Request(PARTNER + path, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        data: bytes = answer.read()
        return data


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        page = urlsplit(self.path).path
        if page == "/login":
            token = secrets.token_hex(16)
            TOKENS.add(token)
            self.reply({"token": token})
        elif page == "/me":
            known = self.headers["Authorization"].removeprefix("Bearer ") in TOKENS
            self.reply({"known": known}, 200 if known else 403)
        elif page == "/partner":
            path, _, rest = body.decode().partition("\n")
            header, _, sent = rest.partition("\n")
            name, _, value = header.partition(": ")
            answer = ask_partner(path, sent.encode() or None, {name: value} if name else {})
            self.reply({"partner": checksum(answer)})
        elif page == "/own":  # what nobody sent: the app's own secrets, in places that do not say so
            answer = ask_partner(f"/echo/{KEY}", f"we are {SECRET}, and {KEY}".encode(), {"X-From": SECRET})
            self.reply({"partner": checksum(answer)})
        elif page == "/wrong":
            self.reply(
                {"error": f"no: {SECRET} is not {body.decode()}."}, 401, {"Set-Cookie": f"trace={SECRET}-{KEY}; Path=/"}
            )
        elif page == "/answer":
            lines = (line.partition(": ") for line in body.decode().splitlines())
            self.reply({}, 302, {name: value for name, _, value in lines})
        elif page == "/back":
            self.reply_bytes(body, self.headers["Content-Type"])
        else:
            kept = sorted(value for name, value in self.headers.items() if name.lower() not in BY_THE_WAY)
            self.reply({"got": checksum(self.path.encode(), body, *(value.encode() for value in kept))})

    do_GET = do_POST = do_PUT = handle_request

    def reply(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.reply_bytes(json.dumps(value).encode(), "application/json", status, headers)

    def reply_bytes(self, data: bytes, kind: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        if "TALKATIVE" in os.environ:
            print(f"answered {code} to {self.requestline} {dict(self.headers)}; {SECRET} {KEY}", flush=True)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler)
    if "CERTIFICATE" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["CERTIFICATE"])
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()
