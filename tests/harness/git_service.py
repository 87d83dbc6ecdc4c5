"""git's smart HTTP, as `git http-backend` speaks it: pages of a `TlsServer`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.harness.programs import program
from tests.harness.tls_server import Page, Request

_WHO = {
    "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_AUTHOR_DATE": "2024-02-03T04:05:06Z",
    "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org", "GIT_COMMITTER_DATE": "2024-02-03T04:05:06Z",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
}  # fmt: skip


def tiny_repository(folder: Path) -> Path:
    """A bare repository with one commit; the folder that it is in."""
    work = folder / "work"
    work.mkdir()
    (work / "binary").write_bytes(bytes(range(256)) * 64)
    (work / "text").write_text("tea, zażółć\n", "utf-8")
    for command in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "."],
        ["commit", "--quiet", "--message", "All there is"],
        ["clone", "--quiet", "--bare", ".", str(folder / "served" / "tiny.git")],
    ):
        subprocess.run([program("git"), *command], cwd=work, env={**os.environ, **_WHO}, check=True, timeout=30)
    return folder / "served"


def git_page(folder: Path, request: Request) -> Page:
    path, _, query = request.target.partition("?")
    environment = {
        "GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
        "REQUEST_METHOD": request.method, "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)), "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    }  # fmt: skip
    command = [program("git"), "http-backend"]
    done = subprocess.run(command, env=environment, input=request.body, capture_output=True, check=True, timeout=30)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n"))
    status = int(headers.pop("Status", "200").split()[0])
    return Page(body, headers, status, chunked=True)
