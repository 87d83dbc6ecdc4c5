"""A service that speaks HTTP/2 in clear, without asking first, and asks another one in the same way.

`http2_app.py PORT` serves users; `http2_app.py PORT USERS` serves orders, and asks the users at that URL. With
CERTIFICATE, a file with a key as well, it is served in TLS.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from typing import Any

import httpx
from hypercorn.asyncio import serve
from hypercorn.config import Config


class App:
    """An ASGI application."""

    def __init__(self, upstream: str) -> None:
        self._client = httpx.AsyncClient(http1=False, http2=True, base_url=upstream) if upstream else None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        status, kind, answer = await (self._users if self._client is None else self._orders)(scope["path"], body)
        headers = [(b"content-type", kind), (b"x-spoken", scope["http_version"].encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _users(self, path: str, body: bytes) -> tuple[int, bytes, bytes]:
        if path.startswith("/large/"):
            return 200, b"application/octet-stream", bytes(range(256)) * int(path.rpartition("/")[2])
        if path == "/users":
            return 201, b"application/json", json.dumps({"id": str(uuid.uuid4()), **json.loads(body)}).encode()
        return 200, b"application/json", json.dumps({"path": path}).encode()

    async def _orders(self, path: str, body: bytes) -> tuple[int, bytes, bytes]:
        assert self._client is not None
        if path == "/many":  # at once, on one connection
            names = [f"/users/{number}" for number in range(8)]
            found = await asyncio.gather(*(self._client.get(name) for name in names))
            return 200, b"application/json", json.dumps([one.json() for one in found]).encode()
        if path.startswith("/large/"):
            answer = await self._client.get(path)
            return 200, b"application/json", json.dumps({"size": len(answer.content)}).encode()
        answer = await self._client.post("/users", json={**json.loads(body), "request": str(uuid.uuid4())})
        return answer.status_code, b"application/json", answer.content


async def main(port: str, upstream: str = "") -> None:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = config.errorlog = None
    config.certfile = config.keyfile = os.environ.get("CERTIFICATE")
    await serve(App(upstream), config, mode="asgi")  # type: ignore[arg-type]


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
