"""`rr test --coverage` finds the lines that coverage.py finds by hand, in every process of the app."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import APPS
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.programs import program
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

PATHS = (
    "/orders/1", "/orders/2", "/orders/11", "/thread", "/subprocess", "/fork", "/process/fork", "/process/spawn",
    "/process/forkserver", "/terminated",
)  # fmt: skip
# Not the last one under gunicorn: a worker's child has the worker's handler of SIGTERM, and lives on.
UNDER_GUNICORN = PATHS[:-1], ("--tests", ",".join(f"test-{number}" for number in range(1, len(PATHS))))
# What coverage.py has to be told by hand so that it follows the app's processes.
BY_HAND = "[run]\nparallel = true\nsigterm = true\npatch = subprocess, _exit\n"
Lines = Mapping[str, tuple[list[int], list[int]]]  # by file: what ran, what did not


@dataclass(frozen=True, slots=True)
class Shop:
    """The app, recorded once; `project` is where it is."""

    project: Path
    port: int


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("covered")
    shutil.copytree(APPS / "covered", folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "home").mkdir()
    port = free_port()
    rr = RR(folder / "project", folder / "home")
    with rr.record(f"{sys.executable} app.py {port}", port=port) as recording:
        ask(port)
        recording.interrupt()
        assert recording.wait() == 0, recording.output
    return Shop(folder / "project", port)


@pytest.fixture
def shop(recorded: Shop, rr: RR) -> Shop:
    """A copy of it in the test's own project folder."""
    shutil.copytree(recorded.project, rr.folder, dirs_exist_ok=True)
    return Shop(rr.folder, recorded.port)


def ask(port: int, paths: Sequence[str] = PATHS) -> None:
    for path in paths:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20).close()
        except urllib.error.HTTPError as answer:
            answer.close()


def lines(report: Path) -> Lines:
    files = json.loads(report.read_text("utf-8"))["files"]
    return {name: (each["executed_lines"], each["missing_lines"]) for name, each in files.items()}


def measured(shop: Shop, run: int = 0) -> Path:
    return shop.project / "keploy" / "reports" / f"test-run-{run}" / "coverage"


def missing(shop: Shop, name: str) -> list[str]:
    """The lines of a file that did not run."""
    text = (shop.project / name).read_text("utf-8").splitlines()
    return [text[number - 1].strip() for number in lines(measured(shop) / "coverage.json")[name][1]]


def by_hand(shop: Shop, folder: Path, command: list[str], stop: int, paths: Sequence[str] = PATHS) -> Lines:
    """The same requests, measured as coverage.py's manual says."""
    project = folder / "by-hand"
    shutil.copytree(shop.project, project, ignore=shutil.ignore_patterns("keploy", "rr.yml", "__pycache__"))
    rcfile = project / ".coveragerc"
    rcfile.write_text(BY_HAND)
    coverage = [sys.executable, "-m", "coverage"]
    run = [*coverage, "run", *command]
    with Running(run, log=folder / "by-hand.log", cwd=project) as app:
        app.until(lambda: listens(shop.port), "the app listens")
        ask(shop.port, paths)
        app.process.send_signal(stop)
        app.process.wait(20)
    for step in ("combine", "json"):
        subprocess.run([*coverage, step, "-q"], cwd=project, check=True, timeout=30)
    found = lines(project / "coverage.json")
    return {name: each for name, each in found.items() if not os.path.isabs(name)}  # Debian's Python starts with one


def files_of(project: Path) -> set[Path]:
    """All but what rr keeps there, and what Python compiles."""
    return {path for path in project.rglob("*") if not {"keploy", "__pycache__"} & set(path.parts)}


def test_the_lines_are_those_of_coverage_run_whatever_process_ran_them(rr: RR, shop: Shop, tmp_path: Path) -> None:
    before = files_of(shop.project)
    replay = rr.test("--coverage")
    assert replay.code == 0, replay.output
    found = lines(measured(shop) / "coverage.json")
    assert found == by_hand(shop, tmp_path, ["app.py", str(shop.port)], signal.SIGINT)
    assert missing(shop, "shop/work.py") == ['print("never")'], "only the line after SIGTERM did not run"
    assert files_of(shop.project) == before, "nothing is written into the project but the report"
    assert "<coverage" in (measured(shop) / "coverage.xml").read_text("utf-8")
    assert "orders_py.html" in (measured(shop) / "html" / "index.html").read_text("utf-8")
    assert "  shop/orders.py" in replay.stdout, "a table of the files"
    assert "1 of 6 lines missing" in replay.stdout
    table = replay.stdout.partition("  app.py")[2].splitlines()[:-1]
    assert "\n".join(table) in rr.run("report").stdout, "and again at any time"


def test_the_workers_of_gunicorn_are_measured_all_of_them(rr: RR, shop: Shop, tmp_path: Path) -> None:
    words = ["-w", "4", "-b", f"127.0.0.1:{shop.port}", "app:app"]
    paths, chosen = UNDER_GUNICORN
    replay = rr.test("--coverage", *chosen, "-c", f"gunicorn {' '.join(words)}")
    assert replay.code == 0, replay.output
    found = lines(measured(shop) / "coverage.json")
    assert found == by_hand(shop, tmp_path, ["-m", "gunicorn", *words], signal.SIGTERM, paths)
    left = list(Path("/dev/shm").glob(f"rr-public-{os.getuid()}-*/sitecustomize.py"))
    assert not [path for path in left if not Path("/proc", path.parent.name.split("-")[3]).exists()]


def test_without_mocks_the_app_is_ended_as_gently(rr: RR, shop: Shop) -> None:
    _, chosen = UNDER_GUNICORN
    command = f"gunicorn -w 4 -b 127.0.0.1:{shop.port} app:app"
    replay = rr.test("--coverage", "--no-mocking", *chosen, "-c", command)
    assert replay.code == 0, replay.output
    assert missing(shop, "shop/work.py")[1:] == ['print("never")']


def test_less_than_the_least_coverage_makes_the_run_fail(rr: RR, shop: Shop) -> None:
    replay = rr.test("--coverage-fail-under", "90", "--tests", "test-1", "--json")
    assert replay.code == 1, replay.output
    said = json.loads(replay.stdout)
    assert said["verdict"] == "passed", "the tests themselves are not at fault"
    percent = said["coverage"]["percent"]
    assert 10 < percent < 90
    assert {each["name"] for each in said["coverage"]["files"]} >= {"app.py", "shop/orders.py"}
    assert f"The coverage is {percent:.2f} %, and 90 % is asked for." in replay.stderr


def test_an_app_that_cannot_be_measured_is_told_of(rr: RR, shop: Shop) -> None:
    command = f"{sys.executable} -E app.py {shop.port}"
    failed = rr.test("--coverage-fail-under", "1", "--tests", "test-1", "-c", command)
    assert failed.code == 2, failed.output
    assert "error RR502: No Python process of the app was measured" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-c", "coverage run app.py"], "measures coverage itself"),
        (["--base-path", "http://127.0.0.1:1"], "runs already"),
        (["--coverage-fail-under", "101"], "a percentage"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_remedy(rr: RR, shop: Shop, arguments: list[str], said: str) -> None:
    refused = rr.test("--coverage", *arguments)
    assert refused.code == 2
    assert said in refused.stderr


NODE_APP = """
const server = require("http").createServer((request, response) => response.end(answer(request.url)));
function answer(url) { return url === "/a" ? "a" : "b"; }
server.listen(Number(process.argv[2]), "127.0.0.1");
process.on("SIGINT", () => process.exit(0));
"""


def test_the_tools_of_other_languages_write_their_files_for_the_app_is_ended_gently(rr: RR, port: int) -> None:
    (rr.folder / "app.js").write_text(NODE_APP)
    with rr.record(f"{program('node')} app.js {port}", port=port) as recording:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/a", timeout=20).close()
        recording.interrupt()
        assert recording.wait() == 0, recording.output
    written = rr.folder / "v8"
    replay = rr.with_settings(NODE_V8_COVERAGE=str(written)).test()
    assert replay.code == 0, replay.output
    reports = [json.loads(path.read_text("utf-8")) for path in written.glob("*.json")]
    functions = [
        function
        for report in reports
        for script in report["result"]
        if script["url"].endswith("/app.js")
        for function in script["functions"]
    ]
    counts = {function["functionName"]: function["ranges"][0]["count"] for function in functions}
    assert counts["answer"] == 1
