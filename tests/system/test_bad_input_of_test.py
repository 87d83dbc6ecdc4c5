"""Whatever is wrong with the input or the app: one clear sentence, exit code 2, and the report of what did run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.harness.network import free_port
from tests.harness.processes import Running
from tests.harness.rr_command import BIN, RR, Finished

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "small_app.py"
COMMAND = ("-c", "python small_app.py")

TEST = """\
version: api.keploy.io/v1beta1
kind: Http
name: {name}
spec:
  req:
    method: GET
    url: http://localhost:{port}/{page}
    timestamp: 2026-11-21T04:44:45.357Z
  resp:
    status_code: 200
    header:
      Content-Type: application/json
    body: '{{"page": "/{page}", "sent": ""}}'
    timestamp: 2026-11-21T04:44:45.358Z
"""
PAGES = ("one", "two", "three")


@pytest.fixture
def project(rr: RR, port: int) -> RR:
    """Three tests of the small app, written as a person would write them."""
    shutil.copy(APP, rr.folder)
    tests = rr.keploy / "test-set-0" / "tests"
    tests.mkdir(parents=True)
    for number, page in enumerate(PAGES, 1):
        (tests / f"test-{number}.yml").write_text(TEST.format(name=f"test-{number}", port=port, page=page))
    return rr.with_settings(PORT=str(port))


def file_of(rr: RR, test: str) -> Path:
    return rr.keploy / "test-set-0" / "tests" / f"{test}.yml"


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def verdicts(rr: RR) -> dict[str, str]:
    """What the last report says of each test."""
    runs = sorted((rr.keploy / "reports").iterdir(), key=lambda path: int(path.name.rpartition("-")[2]))
    assert (runs[-1] / "junit.xml").is_file()
    found = {}
    for document in yaml.safe_load_all((runs[-1] / "report.yml").read_text()):
        found.update({test["test_case_id"]: test["status"] for test in document["tests"]})
    return found


def says(replay: Finished, *words: str, code: int = 2) -> None:
    assert replay.code == code, replay.output
    assert "Traceback" not in replay.output
    for word in words:
        assert word in replay.output, f"not said: {word}\n{replay.output}"


def test_they_are_green_as_they_are(project: RR) -> None:
    says(project.test(*COMMAND), "3 passed", code=0)


# -- test sets ---------------------------------------------------------------------------------------------------


def test_no_test_set(rr: RR) -> None:
    says(rr.test(*COMMAND), "There is no test set in", "rr record -c")


def test_an_empty_test_set(rr: RR) -> None:
    (rr.keploy / "test-set-0" / "tests").mkdir(parents=True)
    says(rr.test(*COMMAND), "test-set-0", "the set has no tests")


def test_a_test_set_that_is_not_there(project: RR) -> None:
    says(project.test(*COMMAND, "--test-sets", "test-set-7"), "no test set 'test-set-7'", "there are: test-set-0")


def test_a_test_that_is_not_there(project: RR) -> None:
    says(project.test(*COMMAND, "--tests", "test-1,test-9"), "There is no test test-9", "test-1, test-2, test-3")
    assert not (project.keploy / "reports").exists(), "nothing was run"


def test_a_test_of_one_of_two_sets(project: RR) -> None:
    second = project.keploy / "test-set-1" / "tests"
    second.mkdir(parents=True)
    (second / "test-4.yml").write_text(file_of(project, "test-1").read_text().replace("test-1", "test-4"))
    says(project.test(*COMMAND, "--tests", "test-4"), "1 passed", code=0)
    assert verdicts(project) == {"test-4": "PASSED"}


def test_no_command(project: RR) -> None:
    says(project.test(), "how the app is started", "rr test -c")


# -- documents ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("status_code: 200", "status_code: [200", ("test-2.yml:11", "not YAML", "Correct the document")),
        ("kind: Http", "kind: Htpp", ("test-2.yml:1", "the kind 'Htpp' is unknown", "Http", "Correct the kind")),
        ("v1beta1", "v9", ("test-2.yml:1", "the version 'api.keploy.io/v9' is unknown", "release of rr")),
        ("name: test-2", "name: test-1", ("test-2.yml:1", "'test-1' is there twice", "test-1.yml")),
    ],
    ids=["broken", "kind", "version", "twice"],
)
def test_a_document_that_cannot_be_read(old: str, new: str, words: tuple[str, ...], project: RR) -> None:
    replace(file_of(project, "test-2"), old, new)
    says(project.test(*COMMAND), *words)
    assert verdicts(project) == {}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("method: GET", "method: GE T", ("req.method", "not a method of HTTP", "'GE T'")),
        ("status_code: 200", "status_code: 99999", ("resp.status_code", "99999")),
        ("/two\n", "/two\n    header: {X-A: \"a\\r\\nb\"}\n", ("req.header.X-A", "a line break cannot be sent")),
        (":{port}/two", ":port/two", ("req.url", "not host and port")),
        ("kind: Http", "kind: DNS", ("test-2", "DNS")),
    ],
    ids=["method", "status", "header", "url", "no request"],
)  # fmt: skip
def test_a_test_that_is_not_valid_http_is_errored_and_the_others_run(
    old: str, new: str, words: tuple[str, ...], project: RR
) -> None:
    replace(file_of(project, "test-2"), old.replace("{port}", project.settings["PORT"]), new)
    says(project.test(*COMMAND), *words, "test-2.yml:1", "2 passed", "1 errored")
    assert verdicts(project) == {"test-1": "PASSED", "test-2": "FAILED", "test-3": "PASSED"}


def test_a_broken_mock(project: RR) -> None:
    (project.keploy / "test-set-0" / "mocks.yml").write_text("kind: Http\nname: test-1.1\nspec: {req: [\n")
    says(project.test(*COMMAND), "mocks.yml:", "not YAML")


def test_one_broken_set_leaves_the_others_alone(project: RR) -> None:
    shutil.copytree(project.keploy / "test-set-0", project.keploy / "test-set-1")
    replace(project.keploy / "test-set-0" / "tests" / "test-2.yml", "status_code: 200", "status_code: [200")
    says(project.test(*COMMAND), "not YAML", "3 passed")


# -- the app -----------------------------------------------------------------------------------------------------


def test_a_wrong_command(project: RR) -> None:
    says(project.test("-c", "pyhton small_app.py"), "pyhton: not found", "exit code 127", "check --command")


def test_an_app_that_dies_at_the_start(project: RR) -> None:
    replay = project.with_settings(DIE="start").test(*COMMAND)
    says(replay, "cannot reach the database", "The app ended with exit code 1.")


def test_an_app_that_never_listens(project: RR) -> None:
    says(project.test("-c", "sleep 60", "--delay", "0.5s"), "did not listen on port", "within 0.5 s", "--delay")


def test_an_app_that_listens_elsewhere(project: RR, unused_port: int) -> None:
    replay = project.test("-c", f"PORT={unused_port} python small_app.py", "--delay", "1s")
    says(replay, "did not listen on port", f"it listens on 127.0.0.1:{unused_port}")
    assert "KeyboardInterrupt" not in replay.output, "how it ends when it is stopped is not why"


def test_an_app_that_is_never_healthy(project: RR) -> None:
    url = f"http://localhost:{project.settings['PORT']}/health"
    replay = project.with_settings(HANG="/health").test(*COMMAND, "--health-url", url, "--delay", "0.5s",
                                                        "--api-timeout", "0.2s")  # fmt: skip
    says(replay, "/health answered nothing", "0.5 s")


def test_an_app_that_dies_in_the_middle(project: RR) -> None:
    replay = project.with_settings(DIE="/two").test(*COMMAND)
    says(replay, "without an answer", "out of memory, good bye", "The app ended with exit code 7.")
    assert verdicts(project) == {"test-1": "PASSED", "test-2": "FAILED"}


def test_an_app_that_hangs_on_one_request(project: RR) -> None:
    replay = project.with_settings(HANG="/two").test(*COMMAND, "--api-timeout", "0.3s")
    says(replay, "did not answer within 0.3 s", "2 passed, 1 failed", code=1)
    assert verdicts(project) == {"test-1": "PASSED", "test-2": "FAILED", "test-3": "PASSED"}


def test_a_page_that_was_slow_when_it_was_recorded_may_be_slow_again(project: RR) -> None:
    slow = project.with_settings(HANG="/two", HANG_FOR="0.6")
    assert slow.test(*COMMAND, "--api-timeout", "0.3s").code == 1
    replace(file_of(project, "test-2"), "04:44:45.358Z", "04:44:50.358Z")
    assert slow.test(*COMMAND, "--api-timeout", "0.3s").code == 0


def test_an_app_that_waits_for_a_server_that_was_never_recorded(project: RR) -> None:
    """As a client of a database waits for the greeting, at an address that a setting has changed."""
    there = free_port()
    waits = f"__import__('socket').create_connection(('127.0.0.1', {there})).recv(1) and 'hello'"
    app = project.folder / "small_app.py"
    replace(app, '"sent": body.decode()', f'"sent": body.decode() if self.path != "/two" else {waits}')
    replay = project.test(*COMMAND)
    says(
        replay, f"connection to localhost:{there}: the app waits for the server to speak", "Recorded were: none", code=1
    )
    assert verdicts(project) == {"test-1": "PASSED", "test-2": "FAILED", "test-3": "PASSED"}


def test_ctrl_c_in_the_middle(project: RR) -> None:
    """The test in hand is finished, the app stopped, and the report written."""
    rr = project.with_settings(HANG="/two")
    command = [str(BIN / "rr"), "test", *COMMAND, "--api-timeout", "2s"]
    with Running(command, log=rr.home / "test.log", cwd=rr.folder, env=rr.env) as running:
        running.until_says("test-1")
        running.interrupt()
        assert running.wait() == 2, running.output
        assert "Traceback" not in running.output.split("the run was stopped")[0]
    found = verdicts(project)
    assert found["test-1"] == "PASSED"
    assert "test-3" not in found
