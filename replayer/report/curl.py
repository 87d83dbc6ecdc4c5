"""A recorded request as a `curl` command line, to be pasted into a shell.

Secrets stay the placeholders that the recording has for them; what is redacted is not filled in here.
"""

from __future__ import annotations

import re
import shlex

from protocols.http.wire import Headers, HttpRequest
from testset.model import FileBody

# Made by the client for one connection, or by curl itself from the rest of the line.
_CURLS_OWN = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_LONGEST_BODY = 8 * 1024
_URL = re.compile(r"[a-z]+://")


def curl(request: HttpRequest, base: str = "") -> str:
    """One argument a line. `base` (`http://localhost:8080`) goes before a target that is only a path."""
    target = request.target
    url = target if _URL.match(target) else (base or f"{request.scheme}://{_host(request.headers)}") + target
    parts = ["curl"]
    if request.method == "HEAD":
        parts.append("--head")
    elif request.method != ("POST" if request.body else "GET"):
        parts.append(f"-X {shlex.quote(request.method)}")
    if re.search(r"[\[\]{}]", url):
        parts.append("--globoff")
    if "/../" in url or "/./" in url:
        parts.append("--path-as-is")
    if request.version == "2":
        parts.append("--http2-prior-knowledge" if url.startswith("http:") else "--http2")
    parts.append(shlex.quote(url))
    headers = [(name, value) for name, value in request.headers if name.lower() not in _CURLS_OWN]
    if request.body and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", ""))  # else curl would say it is a form
    for name, value in headers:
        parts.append("-H " + shlex.quote(f"{name}: {value}" if value else f"{name}:"))
    if _compressed(request.headers):
        parts.append("--compressed")
    parts += _body(request)
    return " \\\n  ".join([" ".join(parts[:2]) if len(parts) > 1 else parts[0], *parts[2:]])


def _host(headers: Headers) -> str:
    return next((value for name, value in headers if name.lower() == "host"), "localhost")


def _compressed(headers: Headers) -> bool:
    return any(name.lower() == "accept-encoding" and value not in ("", "identity") for name, value in headers)


def _body(request: HttpRequest) -> list[str]:
    body = request.body
    if isinstance(body, FileBody):
        return [f"--data-binary {shlex.quote(f'@{body.path.name}')}"]
    if not body:
        return []
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or "\x00" in text or len(text) > _LONGEST_BODY:
        return [f"--data-binary @body  # {len(body)} bytes, in the test case's file"]
    return [f"--data-raw {shlex.quote(text)}"]
