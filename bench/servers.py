"""What rr is measured with and against, each from a configuration made here, on loopback: nginx, HAProxy, mitmdump."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from intercept.authority import Authority, new_authority
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.programs import program

BODIES = {"1k": 1_000, "100k": 100_000, "1m": 1_000_000}

NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    default_type application/octet-stream;
    keepalive_requests 1000000000;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    server {{ listen {host}:{port} backlog=4096; root www; }}
}}
"""

HTTPS = """
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    server {{ listen 127.0.0.1:{port} ssl backlog=4096; root www; }}
}}
"""

# One thread: with more, HAProxy is slower on a machine of two cores that the load and the server share.
HAPROXY = """
global
    maxconn 8192
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen bench
    bind 127.0.0.1:{port}
    server nginx 127.0.0.1:{upstream}
"""


def nginx_command(folder: Path, port: int, host: str = "127.0.0.1") -> list[str]:
    """Files and configuration for an nginx on `port`, and the command that starts it."""
    (folder / "www").mkdir(parents=True)
    for name, size in BODIES.items():
        (folder / "www" / name).write_bytes((b"0123456789abcdef" * (size // 16 + 1))[:size])
    (folder / "nginx.conf").write_text(NGINX.format(host=host, port=port))
    return [program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]


@contextmanager
def nginx(folder: Path) -> Iterator[int]:
    port = free_port()
    with _serving(nginx_command(folder, port), port, folder):
        yield port


@contextmanager
def nginx_https(folder: Path) -> Iterator[int]:
    """The same with TLS, and a certificate that nobody trusts: what measures does not look at it."""
    port, plain = free_port(), free_port()
    command = nginx_command(folder, plain)
    (folder / "server.pem").write_bytes(Authority.of(new_authority()).leaf("localhost", datetime.now(UTC)))
    settings = folder / "nginx.conf"
    settings.write_text(settings.read_text().rstrip().removesuffix("}") + HTTPS.format(folder=folder, port=port))
    with _serving(command, port, folder):
        yield port


@contextmanager
def haproxy(folder: Path, upstream: int) -> Iterator[int]:
    port = free_port()
    folder.mkdir()
    settings = folder / "haproxy.cfg"
    settings.write_text(HAPROXY.format(port=port, upstream=upstream))
    with _serving([program("haproxy"), "-db", "-q", "-f", str(settings)], port, folder):
        yield port


@contextmanager
def mitmdump(folder: Path, upstream: int, scheme: str = "http") -> Iterator[int]:
    port = free_port()
    folder.mkdir()
    command = [
        str(Path(sys.executable).with_name("mitmdump")), "--quiet", "--ssl-insecure",
        "--mode", f"reverse:{scheme}://127.0.0.1:{upstream}",
        "--listen-host", "127.0.0.1", "--listen-port", str(port), "--set", f"confdir={folder}",
    ]  # fmt: skip
    with _serving(command, port, folder):
        yield port


@contextmanager
def _serving(command: list[str], port: int, folder: Path) -> Iterator[None]:
    with Running(command, log=folder / "output.log", cwd=folder) as running:
        running.until(lambda: listens(port), f"{Path(command[0]).name} listens on port {port}")
        yield
