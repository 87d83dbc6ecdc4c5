"""HTTPS that leaves an app under a recording rr, against mitmdump doing the same; and without anybody between."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.load import parse, wrk, wrk_command
from bench.ours import inside_rr
from bench.row import Options, Row
from bench.servers import mitmdump, nginx_https
from bench.turns import Contestant, in_turns


def measure(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="rr-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # nginx, started as root, serves as another user
        with (
            nginx_https(folder / "nginx") as direct,
            mitmdump(folder / "mitmdump", direct, "https") as through_mitmdump,
            inside_rr(folder / "rr", f"localhost:{direct}") as rr,
        ):
            ours, theirs = (f"https://127.0.0.1:{port}/1k" for port in (direct, through_mitmdump))

            def recorded(connections: int) -> float:
                output = rr.run(wrk_command(ours, connections, options.seconds))
                return parse(output, "through rr").requests_per_second

            for connections, floor in ((8, 0.9), (1, 0.9)):
                medians = in_turns(
                    {
                        "rr": Contestant(lambda: recorded(connections), rr.settle),  # noqa: B023
                        "mitmdump": Contestant(lambda: wrk(theirs, connections, options.seconds).requests_per_second),  # noqa: B023
                        "nginx": Contestant(lambda: wrk(ours, connections, options.seconds).requests_per_second),  # noqa: B023
                    },
                    options.rounds,
                )
                plural = "connections" if connections > 1 else "connection"
                yield Row(
                    name=f"HTTPS out 1 kB, {connections} {plural}, against mitmdump",
                    ours=medians["rr"],
                    theirs=medians["mitmdump"],
                    unit="requests/s",
                    floor=floor,
                )
                yield Row(
                    name=f"HTTPS out 1 kB, {connections} {plural}, against nginx alone",
                    ours=medians["rr"],
                    theirs=medians["nginx"],
                    unit="requests/s",
                )
