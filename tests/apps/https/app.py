"""An app for each HTTPS client of Python, and for two programs: `app.py CLIENT PORT SERVICE=URL …`.

`GET /SERVICE/PAGE` asks for the page with that client, or another one (`?with=CLIENT`). It answers what came: status,
length and digest, or what the error was.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

UPLOAD = bytes(range(256)) * 1200
TIMEOUT = 30

Got = tuple[int, bytes]
Client = Callable[[str, bytes | None], Got]  # URL, body (POST) or none (GET)


class Ended(Exception):
    """A program ended with this code."""


# -- clients, each imported by who wants it ---------------------------------------------------------------------


def with_urllib(url: str, body: bytes | None) -> Got:
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=TIMEOUT) as answer:
        return answer.status, answer.read()


def requests_client() -> Client:
    import requests

    session = requests.Session()

    def ask(url: str, body: bytes | None) -> Got:
        answer = session.request("GET" if body is None else "POST", url, data=body, timeout=TIMEOUT)
        return answer.status_code, answer.content

    return ask


def httpx_client() -> Client:
    import httpx

    client: httpx.Client | None = None

    def ask(url: str, body: bytes | None) -> Got:
        nonlocal client
        client = client or httpx.Client(http2=True, timeout=TIMEOUT)
        answer = client.request("GET" if body is None else "POST", url, content=body)
        return answer.status_code, answer.content

    return ask


def with_aiohttp(url: str, body: bytes | None) -> Got:
    import aiohttp

    async def ask() -> Got:
        limit = aiohttp.ClientTimeout(TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.request("GET" if body is None else "POST", url, data=body) as answer,
        ):
            return answer.status, await answer.read()

    return asyncio.run(ask())


def with_boto3(url: str, body: bytes | None) -> Got:
    """An object of S3."""
    import boto3
    from botocore.config import Config

    endpoint, _, key = url.rpartition("/")
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="eu-central-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )  # fmt: skip
    if body is None:
        answer = client.get_object(Bucket="pages", Key=key)
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()
    answer = client.put_object(Bucket="pages", Key=key, Body=body)
    return answer["ResponseMetadata"]["HTTPStatusCode"], b""


def with_curl(url: str, body: bytes | None) -> Got:
    with tempfile.TemporaryDirectory() as folder:
        sent, got = Path(folder, "sent"), Path(folder, "got")
        command: list[str | Path] = ["curl", "--silent", "--compressed", "--max-time", str(TIMEOUT), "--output", got]
        command += ["--write-out", "%{http_code}", url]
        if body is not None:
            sent.write_bytes(body)
            command += ["--data-binary", f"@{sent}", "--header", "Content-Type: application/octet-stream"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Ended(done.returncode)
        return int(done.stdout), got.read_bytes() if got.exists() else b""


def with_git(url: str, _body: bytes | None) -> Got:
    """`…/clone` and `…/ls-remote` of the repository that is there."""
    service, _, what = url.rpartition("/")
    with tempfile.TemporaryDirectory() as folder:
        command = ["git", what, f"{service}/tiny.git", *([folder] if what == "clone" else [])]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            raise Ended(done.returncode)
        files = [path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.is_file()]
        return 200, b"".join([done.stdout, *files])


def with_lines(url: str, _body: bytes | None) -> Got:
    """No HTTP: a protocol in TLS in which the server speaks first."""
    host, _, port = url.split("/")[2].partition(":")
    context = ssl.create_default_context()
    with socket.create_connection((host, int(port)), TIMEOUT) as plain, context.wrap_socket(
        plain, server_hostname=host
    ) as secure:  # fmt: skip
        stream = secure.makefile("rwb", buffering=0)
        greeting = stream.readline()
        stream.write(f"HELLO {url.rpartition('/')[2]}\n".encode())
        return 200, greeting + stream.readline()


def with_sockets(url: str, _body: bytes | None) -> Got:
    """Everything that the server says, whatever it is, until it has said that this is all. With TRUSTED, a file of
    certificates, it trusts nobody else."""
    host, _, port = url.split("/")[2].partition(":")
    context = ssl.create_default_context(cafile=os.environ.get("TRUSTED"))
    with socket.create_connection((host, int(port)), TIMEOUT) as plain, context.wrap_socket(
        plain, server_hostname=host
    ) as secure:  # fmt: skip
        secure.sendall(f"GET /{url.rpartition('/')[2]} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        parts = []
        while part := secure.recv(1 << 20):
            parts.append(part)
        return 0, b"".join(parts)


CLIENTS: dict[str, Callable[[], Client]] = {
    "urllib": lambda: with_urllib,
    "requests": requests_client,
    "httpx": httpx_client,
    "aiohttp": lambda: with_aiohttp,
    "boto3": lambda: with_boto3,
    "curl": lambda: with_curl,
    "git": lambda: with_git,
    "lines": lambda: with_lines,
    "sockets": lambda: with_sockets,
}


# -- what came of it --------------------------------------------------------------------------------------------


def outcome(client: Client, url: str, body: bytes | None) -> dict[str, Any]:
    try:
        status, content = client(url, body)
    except Exception as error:
        return described(error)
    return {"status": status, "length": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def described(error: BaseException) -> dict[str, Any]:
    """Its class, the classes that it was made of, and what OpenSSL says is wrong with the certificate."""
    names: list[str] = []
    codes: list[int] = []
    pending = [error]
    while pending and len(names) < 20:
        one = pending.pop(0)
        names.append(f"{type(one).__module__}.{type(one).__qualname__}")
        if isinstance(one, ssl.SSLCertVerificationError):
            codes.append(getattr(one, "verify_code", 0))
        if isinstance(one, Ended | OSError) and one.args and isinstance(one.args[0], int):
            codes.append(one.args[0])
        near = [*one.args, getattr(one, "reason", None), one.__cause__ or one.__context__]
        pending += [each for each in near if isinstance(each, BaseException)]
    return {"error": list(dict.fromkeys(names)), "codes": sorted(set(codes))}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    urls: ClassVar[dict[str, str]]
    clients: ClassVar[dict[str, Client]] = {}
    usual: ClassVar[str]

    def do_GET(self) -> None:
        path, _, name = self.path.partition("?with=")
        _, service, page = path.split("/", 2)
        name = name or self.usual
        if name not in self.clients:
            self.clients[name] = CLIENTS[name]()
        body = UPLOAD if page.startswith("upload") else None
        answer = json.dumps(outcome(self.clients[name], f"{self.urls[service]}/{page}", body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def main(name: str, port: str, *services: str) -> None:
    Handler.usual = name
    Handler.urls = dict(service.split("=", 1) for service in services)
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever(0.05)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
