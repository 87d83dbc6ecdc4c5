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


def sysbench(port: int, threads: int, seconds: float, act: str = "run") -> list[str]:
    """The command that measures, or prepares the table."""
    return [
        program("sysbench"), "oltp_point_select", "--db-driver=mysql", "--mysql-host=127.0.0.1",
        f"--mysql-port={port}", f"--mysql-user={USER}", f"--mysql-password={PASSWORD}", f"--mysql-db={DATABASE}",
        f"--threads={threads}", f"--time={max(1, round(seconds))}", f"--table-size={ROWS}", "--tables=1",
        "--rand-type=uniform", act,
    ]  # fmt: skip


def slap(port: int, threads: int, queries: int) -> list[str]:
    """Point selects over TLS: sysbench would verify the server, which hardly a client does."""
    return [
        program("mariadb-slap"), "--no-defaults", "--host=127.0.0.1", f"--port={port}", f"--user={USER}",
        f"--password={PASSWORD}", f"--create-schema={DATABASE}", "--no-drop", "--ssl", f"--concurrency={threads}",
        f"--number-of-queries={queries}", "--query=SELECT c FROM sbtest1 WHERE id = 77",
    ]  # fmt: skip


def slap_rate(output: str, queries: int) -> float:
    found = re.search(r"Average number of seconds to run all queries: ([\d.]+)", output)
    if found is None:
        raise LoadError(f"mariadb-slap measured nothing\n{output[-1000:]}")
    return queries / float(found[1])


def rate(output: str) -> float:
    """Queries a second, from what sysbench prints."""
    found = re.search(r"queries:\s+\d+\s+\(([\d.]+) per sec\.\)", output)
    if found is None or "FATAL" in output:
        raise LoadError(f"sysbench measured nothing\n{output[-1000:]}")
    return float(found[1])


def alone(command: Sequence[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


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
            for threads in (8, 1):
                medians = in_turns(
                    {
                        "rr": Contestant(
                            lambda: rate(rr.run(sysbench(server.port, threads, options.seconds))),  # noqa: B023
                            rr.settle,
                        ),
                        "HAProxy": Contestant(
                            lambda: rate(alone(sysbench(through_haproxy, threads, options.seconds)))  # noqa: B023
                        ),
                    },
                    options.rounds,
                )
                yield _row(f"{_threads(threads)}, against HAProxy", medians, floor=0.8, goal=1.0)
            for threads, a_second in ((8, 20_000), (1, 8_000)):
                queries = round(a_second * max(1, options.seconds))
                medians = in_turns(
                    {
                        "rr": Contestant(
                            lambda: slap_rate(rr.run(slap(server.port, threads, queries)), queries),  # noqa: B023
                            rr.settle,
                        ),
                        "HAProxy": Contestant(
                            lambda: slap_rate(alone(slap(through_haproxy, threads, queries)), queries)  # noqa: B023
                        ),
                    },
                    options.rounds,
                )
                yield _row(f"over TLS, {_threads(threads)}, against HAProxy", medians, floor=0.65, goal=0.9)
        yield from _from_mocks(folder, server, options)


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number > 1)}"


def _row(what: str, medians: dict[str, float], *, floor: float, goal: float) -> Row:
    return Row(
        name=f"MySQL point selects {what}", ours=medians["rr"], theirs=medians["HAProxy"], unit="queries/s",
        floor=floor, goal=goal,
    )  # fmt: skip


def _from_mocks(folder: Path, server: Server, options: Options) -> Iterator[Row]:
    with mocks(folder / "mocks", server) as port:
        command = sysbench(port, 1, options.seconds)
        real = sysbench(server.port, 1, options.seconds)
        medians = in_turns(
            {
                "rr": Contestant(lambda: rate(alone(command))),
                "server": Contestant(lambda: rate(alone(real))),
            },
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
