"""Fixtures that several rooms share, and the rule that nothing is skipped in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.apps.dependency import Dependency
from tests.harness.mysql_servers import Servers
from tests.harness.network import NamedHost, free_port, named_host
from tests.harness.programs import program
from tests.harness.rr_command import RR

APPS = Path(__file__).parent / "apps"

hypothesis.settings.register_profile("rr", deadline=None)  # how long an example takes is the machine's affair
hypothesis.settings.load_profile("rr")


@pytest.fixture
def port() -> int:
    """A free port for the app."""
    return free_port()


@pytest.fixture
def dependency() -> Iterator[Dependency]:
    """What the app depends on, on the host's loopback."""
    with Dependency() as running:
        yield running


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[NamedHost]:
    """A name of the host's loopback that the app resolves through DNS; start rr with its `prefix`."""
    folder = tmp_path / "dns"
    folder.mkdir()
    with named_host(folder) as host:
        yield host


@pytest.fixture
def rr(tmp_path: Path) -> RR:
    """rr in a project folder of the test's own. Nothing of the user's is read or written."""
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    return RR(folder, home)


@pytest.fixture
def app_files(rr: RR) -> Path:
    """The test apps, copied to the project folder, so that `python flask_app.py` works there."""
    for name in ("flask_app.py", "fastapi_app.py"):
        shutil.copy(APPS / name, rr.folder)
    shutil.copytree(APPS / "express", rr.folder / "express", ignore=shutil.ignore_patterns("node_modules"))
    modules = APPS / "express" / "node_modules"
    if not modules.is_dir():
        pytest.fail("the Express app has no node_modules: run `make test`, which installs them", pytrace=False)
    (rr.folder / "express" / "node_modules").symlink_to(modules)
    return rr.folder


@pytest.fixture(scope="session")
def databases() -> Iterator[Servers]:
    """`databases["mysql"]` and `databases["mariadb"]`: real servers, started once they are asked for."""
    with Servers() as servers:
        yield servers


@pytest.fixture(scope="session")
def static_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app as a static binary."""
    binary = tmp_path_factory.mktemp("static") / "static_server"
    command = [program("gcc"), "-static", "-O2", "-pthread", "-o", str(binary), str(APPS / "static_server.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"static_server.c does not compile: apt install gcc libc6-dev\n{done.stderr}", pytrace=False)
    return binary


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests of a group share what is costly (an engine, recordings): two workers must not make it side by side."""
    grouped = item.config.getoption("loadgroup", False) and item.get_closest_marker("xdist_group")
    if grouped and "@" not in item.nodeid:
        pytest.fail("this pytest and this pytest-xdist do not keep groups of tests together", pytrace=False)


# -- in CI a skipped test is a failed run ------------------------------------------------------------------------

SKIPPED: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        SKIPPED.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        SKIPPED.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if SKIPPED and os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if SKIPPED and os.environ.get("CI"):
        terminalreporter.section("skipped, which CI does not allow")
        for nodeid in sorted(set(SKIPPED)):
            terminalreporter.write_line(nodeid)
