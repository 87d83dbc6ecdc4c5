"""What a person sees: on a terminal, in a pipe, in a CI log, in ASCII."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from replayer.compare import Finding, Kind
from replayer.report import Miss, RunResult, SetResult, SetStatus, TestResult, Verdict
from rr.console import Console
from testset.errors import PortTakenError

PASSED = TestResult(name="test-1", set="s", verdict=Verdict.PASSED, title="GET /health", took=0.0041)
FAILED = TestResult(
    name="test-2",
    set="s",
    verdict=Verdict.FAILED,
    title="POST /orders",
    took=0.041,
    findings=(Finding("status", Kind.STATUS, "201", "500"), Finding("body.id", Kind.TYPE, "7", '"7"', "a string now")),
    misses=(Miss("GET http://stock/8", "test-2.1", "path: recorded /7, now /8", "Record again."),),
    curl="curl http://localhost/orders",
)


class Screen(io.StringIO):
    """A text stream that is a terminal if it is said to be."""

    def __init__(self, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def said(*, terminal: bool = False, environ: Mapping[str, str] | None = None) -> tuple[Console, Screen]:
    screen = Screen(terminal)
    return Console(out=screen, err=screen, environ={"TERM": "xterm", **(environ or {})}), screen


def test_a_recorded_test_is_one_aligned_line() -> None:
    console, screen = said()
    console.recorded("test-9", "GET /health", 200, 0, 0.0041)
    console.recorded("test-10", "POST /orders", 201, 2, 0.041)
    console.recorded("test-11", "GET /slow", None, 1, 75.0)
    assert screen.getvalue().splitlines() == [
        "✓ test-9   GET /health → 200                           4.1 ms",
        "✓ test-10  POST /orders → 201                2 mocks    41 ms",
        "✓ test-11  GET /slow → no answer              1 mock   75.0 s",
    ]


def test_a_failure_is_explained_right_below_its_line() -> None:
    console, screen = said()
    console.replayed(PASSED)
    console.replayed(FAILED)
    assert screen.getvalue().splitlines() == [
        "✓ test-1   GET /health                        4.1 ms",
        "✗ test-2   POST /orders                        41 ms",
        "",
        "      - status: 201",
        "      + status: 500",
        "      - body.id: 7",
        '      + body.id: "7"   a string now',
        "    no mock for GET http://stock/8; nearest is test-2.1 (path: recorded /7, now /8)",
        "      Record again.",
        "",
        "    curl http://localhost/orders",
        "",
    ]


def test_an_error_has_its_code_and_what_to_do() -> None:
    console, screen = said()
    console.error(PortTakenError("Port 8080 is taken."))
    console.error("something else", "do this")
    assert screen.getvalue().splitlines() == [
        "error RR301: Port 8080 is taken.",
        "  Stop the other program, or let the app listen on another port.",
        "error: something else",
        "  do this",
    ]


def test_the_summary_counts_by_set_and_names_what_is_not_green() -> None:
    console, screen = said()
    sets = (
        SetResult(name="s", status=SetStatus.FAILED, tests=(PASSED, FAILED), took=1.25),
        SetResult(name="other", status=SetStatus.APP_FAULT, reason="the app did not open its port"),
    )
    console.summary(RunResult(name="test-run-0", sets=sets, took=2.0), "keploy/reports/test-run-0/report.yml")
    console.next([("rr report --full", "shows all of it"), ("rr normalize", "accepts it")])
    assert screen.getvalue().splitlines() == [
        "",
        "  s          1 passed    1 failed     1.2 s",
        "  other  the app did not open its port",
        "",
        "1 passed, 1 failed  in 2.0 s  ·  keploy/reports/test-run-0/report.yml",
        "  rr report --full   shows all of it",
        "  rr normalize       accepts it",
    ]


@pytest.mark.parametrize(
    ("terminal", "environ"),
    [(False, {}), (True, {"NO_COLOR": "1"}), (True, {"CI": "true"}), (True, {"TERM": "dumb"})],
)
def test_no_control_codes_where_they_are_not_wanted(terminal: bool, environ: dict[str, str]) -> None:
    console, screen = said(terminal=terminal, environ=environ)
    console.counter("12 mocks")
    console.replayed(FAILED)
    console.warning("careful")
    assert "\x1b" not in screen.getvalue()
    assert "\r" not in screen.getvalue()
    assert "12 mocks" not in screen.getvalue()


def test_a_terminal_gets_colours_that_mean_something() -> None:
    console, screen = said(terminal=True)
    console.replayed(PASSED)
    console.replayed(FAILED)
    assert re.search(r"\x1b\[32m✓", screen.getvalue())
    assert re.search(r"\x1b\[31m✗", screen.getvalue())
    assert re.search(r"\x1b\[31m +- status: 201", screen.getvalue())
    assert re.search(r"\x1b\[32m +\+ status: 500", screen.getvalue())


def test_the_counter_stays_below_all_other_lines() -> None:
    console, screen = said(terminal=True)
    console.counter("3 mocks")
    console.note("a line")
    console.counter("")
    console.note("the end")
    erase = "\r\x1b[2K"
    assert screen.getvalue().count("3 mocks") == 2
    assert screen.getvalue().index("a line") > screen.getvalue().index(erase, 1)
    assert screen.getvalue().rindex("3 mocks") < screen.getvalue().rindex(erase) < screen.getvalue().index("the end")


def test_nothing_that_the_app_says_controls_the_terminal() -> None:
    console, screen = said()
    bad = TestResult(name="test-1", set="s", verdict=Verdict.ERRORED, title="GET /\x1b[2J", reasons=("a\x1b]0;b\x07",))
    console.replayed(bad)
    assert "\x1b" not in screen.getvalue()
    assert "\\x1b]0;b\\x07" in screen.getvalue()


def test_a_terminal_without_utf8_gets_ascii() -> None:
    raw = io.BytesIO()
    screen = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    console = Console(out=screen, err=screen, environ={})
    console.recorded("test-1", "GET /größe", 200, 0, 0.1)
    console.replayed(FAILED)
    shown = raw.getvalue().decode("ascii")
    assert shown.startswith("ok test-1   GET /gr\\xf6\\xdfe -> 200")
    assert "x test-2" in shown


def test_rich_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, rr.console; rr.console.Console().note('x'); sys.exit('rich.console' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "x\n"), done.stderr


def test_debug_lines_only_when_asked_for() -> None:
    screen = Screen()
    Console(out=screen, err=screen, environ={}).debug("x")
    Console(out=screen, err=screen, environ={}, debug=True).debug("y")
    assert screen.getvalue() == "debug y\n"
