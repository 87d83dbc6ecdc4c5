"""SQLAlchemy's own suite of its MySQL dialect: through a recording rr its outcomes are exactly those that it has
without, and then, from the mocks alone, nearly all that passed passes again. Against MySQL and against MariaDB.

The suite is in SQLAlchemy's source distribution alone, which comes from PyPI, as do the drivers; both live in an
environment of their own. What does not pass again is printed with its cause.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from tests.harness.mysql_servers import MARIADB, MYSQL, PASSWORD, USER, Flavour, Server, mysql_server
from tests.harness.network import listens
from tests.harness.rr_command import RR

pytestmark = [pytest.mark.gate, pytest.mark.timeout(1800)]

SQLALCHEMY = "sqlalchemy>=2.1,<2.2"
DRIVERS = {"pymysql": "PyMySQL", "mysqlconnector": "mysql-connector-python<=9.7.0"}  # the next wants OpenSSL 3.2
FILES = ("test/dialect/test_suite.py", "test/dialect/mysql")
DATABASES = ("test", "test_schema")  # as README.unittests.rst has them

ENOUGH = 0.97
SMALLEST = 2000  # tests that pass without rr: with fewer it is not the suite that was meant

# Why a test cannot pass from mocks: part of its name, and the cause.
KNOWN_CAUSES = {
    "::test_long_convention_name[": "it makes up names of constraints with `random`: another statement each run",
    "::test_bound_caching": "it makes up what it writes with `random`, of nine values: another statement each run",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test of the suite ended."""

    ended: str  # "passed", "failed", "skipped"
    line: str = ""  # the first of what it said


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the whole suite."""

    outcomes: Mapping[str, Outcome]
    seconds: float

    def names(self, ended: str) -> set[str]:
        return {name for name, outcome in self.outcomes.items() if outcome.ended == ended}

    def __str__(self) -> str:
        counts = ", ".join(f"{len(self.names(ended))} {ended}" for ended in ("passed", "failed", "skipped"))
        return f"{counts}, {self.seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class Suite:
    """SQLAlchemy's source distribution, and the Python that runs its tests."""

    folder: Path
    python: Path

    def command(self, server: Server, driver: str, report: Path) -> list[str]:
        url = f"mysql+{driver}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/test?charset=utf8mb4"
        return [
            str(self.python), "-m", "pytest", *FILES, "--dburi", url, f"--junitxml={report}", "--maxfail=100000",
            "--tb=short", "-q", "-p", "no:cacheprovider",
        ]  # fmt: skip


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    folder = tmp_path_factory.mktemp("sqlalchemy")
    _done([sys.executable, "-m", "venv", str(folder / "venv")])
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "-q"]
    _done([*pip, "install", "pytest", "typing_extensions", *DRIVERS.values()])
    _done([*pip, "download", "--no-deps", "--no-binary", "sqlalchemy", "-d", str(folder), SQLALCHEMY])
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return Suite(folder / archive.name.removesuffix(".tar.gz"), python)


@pytest.mark.parametrize(
    ("flavour", "driver"),
    [
        pytest.param(MYSQL, "pymysql", id="mysql-pymysql"),
        pytest.param(MYSQL, "mysqlconnector", id="mysql-mysqlconnector"),
        pytest.param(MARIADB, "pymysql", id="mariadb-pymysql"),
    ],
)
def test_the_dialect_suite(
    flavour: Flavour, driver: str, suite: Suite, rr: RR, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rr = dataclasses.replace(rr, folder=suite.folder).with_settings(PYTHONHASHSEED="0")
    with mysql_server(flavour) as server:

        def run(name: str, *by: str) -> Run:
            report = tmp_path / f"{name}.xml"
            return _run(rr, [*by, *suite.command(server, driver, report)], report)

        _make_databases(server)
        direct = run("direct")
        _make_databases(server)
        recorded = run("recorded", *_rr("record", tmp_path))
        server.stop()
        assert not listens(server.port)
        replayed = run("replayed", *_rr("replay", tmp_path))

    passed = direct.names("passed")
    lost = sorted(passed - replayed.names("passed"))
    share = 1 - len(lost) / max(len(passed), 1)
    report = [
        f"{suite.folder.name}, {driver}, {flavour.name}",
        f"  direct:     {direct}",
        f"  through rr: {recorded}",
        f"  from mocks: {replayed}",
        f"  {share:.2%} of {len(passed)} pass again; {len(lost)} do not:",
        *(_told(name, replayed) for name in lost),
    ]
    told = "\n".join(report)
    with capsys.disabled():
        print(f"\n{told}")
    assert len(passed) >= SMALLEST, told
    for ended in ("passed", "failed", "skipped"):
        assert recorded.names(ended) == direct.names(ended), f"{ended}, through rr and without\n{told}"
    assert share >= ENOUGH, told
    assert [name for name in lost if _cause(name) is None] == [], f"lost, and nobody knows why\n{told}"


def _rr(verb: str, folder: Path) -> Sequence[str]:
    return ("rr", "mock", verb, "--path", str(folder), "--")


def _run(rr: RR, command: Sequence[str], report: Path) -> Run:
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=rr.folder, env=rr.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        timeout=600, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode in (0, 1), f"the suite did not run to its end:\n{output[-4000:]}"
    assert "rr itself failed" not in output, output[-4000:]
    return Run(_outcomes(report), time.monotonic() - began)


def _outcomes(report: Path) -> Mapping[str, Outcome]:
    """By the tests' names. A test that fails in its set-up or its end has failed."""
    found: dict[str, Outcome] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        outcome = Outcome("passed")
        for child in case:
            if child.tag in ("failure", "error"):
                outcome = Outcome("failed", (child.get("message") or "").partition("\n")[0])
            elif child.tag == "skipped":
                outcome = Outcome("skipped")
        if name not in found or outcome.ended == "failed":
            found[name] = outcome
    return found


def _told(name: str, run: Run) -> str:
    outcome = run.outcomes.get(name, Outcome("was not run"))
    return f"  {name}: {outcome.ended}\n      {outcome.line[:200]}\n      because: {_cause(name) or 'not known'}"


def _cause(name: str) -> str | None:
    return next((cause for part, cause in KNOWN_CAUSES.items() if part in name), None)


def _make_databases(server: Server) -> None:
    for name in DATABASES:
        server.sql(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name} CHARACTER SET utf8mb4")


def _done(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"$ {' '.join(command)}\n{done.stdout}{done.stderr}"
