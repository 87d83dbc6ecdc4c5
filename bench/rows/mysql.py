"""sysbench's point selects through a recording rr, against HAProxy in TCP mode; and from mocks, against the server."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.load import LoadError
from bench.ours import inside_rr
from bench.row import Options, Row
from bench.servers import haproxy
from bench.turns import Contestant, in_turns
from tests.harness.mysql_servers import DATABASE, MARIADB, PASSWORD, USER, Server, mysql_server
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.programs import program
from tests.harness.rr_command import BIN, RR

ROWS = 1000
START_CEILING = 120.0


def sysbench(port: int, threads: int, seconds: float, *, home: Path | None = None, act: str = "run") -> list[str]:
    """The command that measures, or prepares the table. `home`: where a `.my.cnf` asks for TLS."""
    tls = ["env", f"HOME={home}"] if home is not None else []
    return [
        *tls, program("sysbench"), "oltp_point_select", "--db-driver=mysql", "--mysql-host=127.0.0.1",
        f"--mysql-port={port}", f"--mysql-user={USER}", f"--mysql-password={PASSWORD}", f"--mysql-db={DATABASE}",
        f"--threads={threads}", f"--time={max(1, round(seconds))}", f"--table-size={ROWS}", "--tables=1",
        "--rand-type=uniform", act,
    ]  # fmt: skip


def rate(output: str) -> float:
    """Queries a second, from what sysbench prints."""
    found = re.search(r"queries:\s+\d+\s+\(([\d.]+) per sec\.\)", output)
    if found is None or "FATAL" in output:
        raise LoadError(f"sysbench measured nothing\n{output[-1000:]}")
    return float(found[1])


def alone(command: Sequence[str]) -> float:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return rate(done.stdout)


def measure(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="rr-bench-") as temporary, mysql_server(MARIADB) as server:
        folder = Path(temporary)
        alone_once = subprocess.run(sysbench(server.port, 1, 1, act="prepare"), capture_output=True, check=False)
        if alone_once.returncode:
            raise LoadError(f"sysbench cannot prepare its table: {alone_once.stdout.decode()[-500:]}")
        with (
            haproxy(folder / "haproxy", server.port) as through_haproxy,
            inside_rr(folder / "rr", f"localhost:{server.port}") as rr,
        ):
            # sysbench's own option for TLS wants files, and then verifies; a client of today does not by default.
            (folder / ".my.cnf").write_text("[sysbench]\nssl\n")
            for tls in (False, True):
                for threads in (8, 1):
                    command = sysbench(server.port, threads, options.seconds, home=folder if tls else None)
                    other = sysbench(through_haproxy, threads, options.seconds, home=folder if tls else None)
                    medians = in_turns(
                        {
                            "rr": Contestant(lambda: rate(rr.run(command)), rr.settle),  # noqa: B023
                            "HAProxy": Contestant(lambda: alone(other)),  # noqa: B023
                        },
                        options.rounds,
                    )
                    what = f"MySQL point selects{' over TLS' if tls else ''}, {threads} thread{'s' * (threads > 1)}"
                    yield Row(
                        name=f"{what}, against HAProxy",
                        ours=medians["rr"],
                        theirs=medians["HAProxy"],
                        unit="queries/s",
                        floor=0.65 if tls else 0.8,
                        goal=0.9 if tls else 1.0,
                    )
        yield from _from_mocks(folder, server, options)


def _from_mocks(folder: Path, server: Server, options: Options) -> Iterator[Row]:
    with mocks(folder / "mocks", server) as port:
        command = sysbench(port, 1, options.seconds)
        real = sysbench(server.port, 1, options.seconds)
        medians = in_turns(
            {"rr": Contestant(lambda: alone(command)), "server": Contestant(lambda: alone(real))},
            options.rounds,
        )
        yield Row(
            name="MySQL point selects from mocks, 1 thread, against the server",
            ours=medians["rr"],
            theirs=medians["server"],
            unit="queries/s",
            floor=0.5,
            goal=1.0,
        )


@contextmanager
def mocks(folder: Path, server: Server) -> Iterator[int]:
    """`rr mock serve` with a recording of every row's select."""
    folder.mkdir()
    rr = RR(folder, folder)
    every = folder / "every.lua"
    every.write_text(EVERY.format(rows=ROWS))
    command = [str(every) if word == "oltp_point_select" else word for word in sysbench(server.port, 1, 1)]
    command = [word for word in command if not word.startswith("--time")] + [f"--events={ROWS}"]
    command.remove("run")
    recorded = rr.run("mock", "record", "--name", "rows", "--", *command, "run", ceiling=START_CEILING)
    if recorded.code:
        raise LoadError(recorded.output)
    port = free_port()
    serve = [str(BIN / "rr"), "mock", "serve", "--port", f"localhost:{server.port}={port}", "rows"]
    with Running(serve, log=folder / "serve.log", cwd=folder, env=rr.env) as running:
        running.until(lambda: listens(port), "rr serves the mocks", START_CEILING)
        yield port


# Asks for each row once, as `oltp_point_select` does: by a prepared statement.
EVERY = """
function thread_init()
  drv = sysbench.sql.driver()
  con = drv:connect()
  stmt = con:prepare("SELECT c FROM sbtest1 WHERE id=?")
  id = stmt:bind_create(sysbench.sql.type.INT)
  stmt:bind_param(id)
  turn = 0
end
function event()
  turn = turn % {rows} + 1
  id:set(turn)
  stmt:execute()
end
function thread_done()
  stmt:close()
  con:disconnect()
end
"""
