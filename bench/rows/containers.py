"""HTTP to an app in a container under a recording rr, against the same container without rr. Both are reached as users
reach them: by a published port, through whatever the engine has put there."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.load import Figures, LoadError, wrk
from bench.ours import start_rr
from bench.row import Options, Row
from bench.servers import nginx_command
from bench.turns import Contestant, in_turns
from tests.harness.engine import DockerEngine, new_engine, with_libraries
from tests.harness.network import free_port
from tests.harness.waiting import eventually

IMAGE = "rrbench/nginx:1"
INSIDE = 8080
DOCKERFILE = """
FROM rrtest/debian:1
COPY nginx /usr/sbin/nginx
COPY lib /opt/lib
ENV LD_LIBRARY_PATH=/opt/lib
COPY site /site
ENTRYPOINT ["nginx", "-p", "/site", "-c", "nginx.conf", "-e", "stderr"]
"""


def measure(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="rr-bench-") as temporary, new_engine() as engine:
        folder = Path(temporary)
        _image(engine, folder / "site")
        alone, recorded = free_port(), free_port()
        engine.docker("run", "-d", "-p", f"127.0.0.1:{alone}:{INSIDE}", IMAGE)
        command = ["docker", "run", "-p", f"127.0.0.1:{recorded}:{INSIDE}", IMAGE]
        with start_rr(command, recorded, folder / "rr", {**engine.env, "RR_BUILD_DELAY": "100"}) as rr:
            ports = {"rr": recorded, "alone": alone}
            for port in ports.values():
                eventually(lambda: _answers(port), "the container answers", 60)  # noqa: B023

            def medians(connections: int, figure: Callable[[Figures], float]) -> dict[str, float]:
                def turn(name: str) -> Contestant:
                    url = f"http://127.0.0.1:{ports[name]}/1k"
                    run = lambda: figure(wrk(url, connections, options.seconds))  # noqa: E731
                    return Contestant(run, rr.settle) if name == "rr" else Contestant(run)

                return in_turns({name: turn(name) for name in ports}, options.rounds)

            many = medians(8, lambda figures: figures.requests_per_second)
            yield Row(
                name="HTTP 1 kB to a container, 8 connections, to it alone",
                ours=many["rr"],
                theirs=many["alone"],
                unit="requests/s",
            )
            one = medians(1, lambda figures: figures.median_ms)
            yield Row(
                name="HTTP 1 kB to a container, added to the median",
                ours=one["rr"],
                theirs=one["alone"],
                unit="ms",
                added=True,
            )


def _image(engine: DockerEngine, site: Path) -> None:
    nginx_command(site, INSIDE, "0.0.0.0")
    settings = (site / "nginx.conf").read_text()
    files = {f"site/{path.relative_to(site)}": path.read_bytes() for path in site.rglob("*") if path.is_file()}
    files["site/nginx.conf"] = f"user root;\n{settings}".encode()
    engine.build(IMAGE, {"Dockerfile": DOCKERFILE.encode(), **with_libraries("nginx"), **files})


def _answers(port: int) -> bool:
    try:
        return wrk(f"http://127.0.0.1:{port}/1k", 1, 1).requests_per_second > 0
    except (LoadError, subprocess.SubprocessError):
        return False
