"""HTTP through a recording rr, against HAProxy in TCP mode, mitmdump, and nginx alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.load import Figures, wrk
from bench.ours import start_rr
from bench.row import Options, Row
from bench.servers import haproxy, mitmdump, nginx, nginx_command
from bench.turns import Contestant, in_turns
from tests.harness.network import free_port


def measure(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="rr-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # nginx, started as root, serves as another user
        recorded = free_port()
        with (
            nginx(folder / "nginx") as direct,
            haproxy(folder / "haproxy", direct) as through_haproxy,
            mitmdump(folder / "mitmdump", direct) as through_mitmdump,
            start_rr(nginx_command(folder / "recorded", recorded), recorded, folder / "rr") as rr,
        ):
            ports = {"rr": recorded, "HAProxy": through_haproxy, "mitmdump": through_mitmdump, "nginx": direct}

            def medians(
                body: str, connections: int, names: Sequence[str], figure: Callable[[Figures], float]
            ) -> dict[str, float]:
                def turn(name: str) -> Contestant:
                    url = f"http://127.0.0.1:{ports[name]}/{body}"
                    run = lambda: figure(wrk(url, connections, options.seconds))  # noqa: E731
                    return Contestant(run, rr.settle) if name == "rr" else Contestant(run)

                return in_turns({name: turn(name) for name in names}, options.rounds)

            def rate(figures: Figures) -> float:
                return figures.requests_per_second

            small = medians("1k", 8, ["rr", "HAProxy", "mitmdump"], rate)
            for against, floor, goal in (("HAProxy", 0.75, 1.0), ("mitmdump", 20.0, 35.0)):
                yield Row(
                    name=f"HTTP 1 kB, 8 connections, against {against}",
                    ours=small["rr"],
                    theirs=small[against],
                    unit="requests/s",
                    floor=floor,
                    goal=goal,
                )

            single = medians("1k", 1, ["rr", "nginx", "HAProxy"], lambda figures: figures.median_ms)
            yield Row(
                name="HTTP 1 kB, 1 connection, added to the median",
                ours=single["rr"],
                theirs=single["nginx"],
                unit="ms",
                floor=0.08,
                goal=0.03,
                added=True,
            )
            yield Row(
                name="HTTP 1 kB, 1 connection, added by HAProxy",
                ours=single["HAProxy"],
                theirs=single["nginx"],
                unit="ms",
                added=True,
            )

            for body, title in (("100k", "100 kB"), ("1m", "1 MB")):
                large = medians(body, 8, ["rr", "HAProxy"], rate)
                yield Row(
                    name=f"HTTP {title}, 8 connections, against HAProxy",
                    ours=large["rr"],
                    theirs=large["HAProxy"],
                    unit="requests/s",
                )
