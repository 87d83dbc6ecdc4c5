"""How rr talks to a person: every line that it prints is made here, so that all commands sound and look the same.

A line is a list of (text, style) pairs. On a terminal rich prints it (imported when first needed: `rr --help` must be
quick); into a pipe, a CI log, or with NO_COLOR it is plain text without control codes, and where the terminal cannot
show UTF-8, ASCII. Red and green stand for failed and passed, and in a difference for gone and new.

Progress and results go to `out`, errors and warnings to `err`. With `--json`, standard output belongs to the JSON
alone: the caller then gives the console standard error as `out`.
"""

from __future__ import annotations

import copy
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from replayer.compare.explain import cut, visible
from replayer.coverage.measured import Measured
from replayer.report.text import Line, Role, blocks, counted
from replayer.report.verdict import RunResult, SetStatus, TestResult, Verdict
from testset.errors import RRError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

Span = tuple[str, str]  # text, style

_PLAIN = ""
_DIM = "dim"
_BOLD = "bold"
_GOOD = "green"
_BAD = "red"
_ODD = "yellow"

_MARKS: Mapping[Verdict, Span] = {
    Verdict.PASSED: ("✓", _GOOD),
    Verdict.FAILED: ("✗", _BAD),
    Verdict.ERRORED: ("!", _ODD),
}
_ROLES: Mapping[Role, str] = {
    Role.REASON: _PLAIN,
    Role.GONE: _BAD,
    Role.NEW: _GOOD,
    Role.SAME: _DIM,
    Role.ASIDE: _DIM,
    Role.WARNING: _ODD,
    Role.REMEDY: _DIM,
    Role.CURL: _DIM,
    Role.BLANK: _PLAIN,
}
_ASCII = str.maketrans({"✓": "ok", "✗": "x", "→": "->", "…": "...", "─": "-", "·": "-", "–": "-", "—": "-"})
_LOOK_AHEAD = 32  # columns that a title has at least, so that the first lines are aligned with the later ones
_WIDEST_TITLE = 48
_MOST_FILES = 30  # of which the coverage is told line by line


class Console:
    """rr's voice. Its methods may be called by several threads."""

    def __init__(
        self,
        *,
        out: TextIO | None = None,
        err: TextIO | None = None,
        debug: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._out = _Stream(sys.stdout if out is None else out, os.environ if environ is None else environ)
        self._err = _Stream(sys.stderr if err is None else err, os.environ if environ is None else environ)
        self._debug = debug
        self._lock = threading.RLock()
        self._counter = ""
        self._prefix = ""
        self._name_width = 7
        self._title_width = _LOOK_AHEAD
        self._hide: Callable[[str], str] = str

    def hide(self, redact: Callable[[str], str]) -> None:
        """From here on every text goes through `redact` first: a screen may be a log."""
        self._hide = redact

    def of_set(self, name: str) -> Console:
        """The same console for one of several test sets that run at once: each line says which."""
        console = copy.copy(self)
        console._prefix = f"{name}  "
        return console

    # -- anything --------------------------------------------------------------------------------------------------

    def headline(self, text: str, aside: str = "") -> None:
        """What rr is about to do: the first line of a command, or of a test set."""
        self._print(self._out, [(text, _BOLD), *([("  " + aside, _DIM)] if aside else [])])

    def note(self, text: str) -> None:
        """Something worth knowing that is neither good nor bad."""
        self._print(self._out, [(text, _DIM)])

    def line(self, text: str) -> None:
        """A line of a list that was asked for."""
        self._print(self._out, [(text, _PLAIN)])

    def blank(self) -> None:
        self._print(self._out, [])

    def warning(self, text: str) -> None:
        self._print(self._err, [("warning ", _ODD), (text, _PLAIN)])

    def error(self, error: RRError | str, remedy: str = "") -> None:
        """`error RR301: sentence`, and what to do on the next line."""
        if isinstance(error, RRError):
            label, remedy = f"error {error.code}: ", remedy or error.remedy
        else:
            label = "error: "
        self._print(self._err, [(label, f"{_BOLD} {_BAD}"), (str(error), _PLAIN)])
        for line in remedy.splitlines():
            self._print(self._err, [("  " + line, _PLAIN)])

    def debug(self, text: str) -> None:
        """Only with --debug."""
        if self._debug:
            self._print(self._err, [("debug " + text, _DIM)])

    def next(self, commands: Iterable[tuple[str, str]]) -> None:
        """What to run next: (command, what it does)."""
        listed = list(commands)
        width = max((len(command) for command, _ in listed), default=0)
        for command, what in listed:
            self._print(self._out, [("  " + command.ljust(width), _BOLD), ("   " + what, _DIM)])

    def counter(self, text: str) -> None:
        """A last line that changes, on a terminal only. Empty: none."""
        with self._lock:
            if self._out.is_terminal:
                self._counter = text
                self._out.replace_last(text)

    # -- recording -------------------------------------------------------------------------------------------------

    def recorded(self, name: str, title: str, status: int | None, mocks: int, took: float) -> None:
        """A test case, as it is written: `✓ test-3  POST /orders → 201   2 mocks   41 ms`."""
        answer = str(status) if status is not None else "no answer"
        count = "" if mocks == 0 else "1 mock" if mocks == 1 else f"{mocks} mocks"
        self._print(
            self._out,
            [("✓ ", _GOOD), *self._columns(name, f"{title} → {answer}"), (f"{count:>9}{_took(took):>9}", _DIM)],
        )

    # -- replaying -------------------------------------------------------------------------------------------------

    def replayed(self, test: TestResult, *, full: bool = False) -> None:
        """A test's verdict on a line; below it, if it did not pass, all that speaks against it."""
        mark, style = _MARKS[test.verdict]
        line = [(f"{mark} ", style), *self._columns(test.name, test.title), (f"{_took(test.took):>9}", _DIM)]
        if test.setup:
            line.append(("   set-up", _DIM))
        if test.verdict is Verdict.ERRORED:
            line.append(("   errored", style))
        with self._lock:
            self._print(self._out, line)
            if test.verdict is Verdict.PASSED:
                for warning in test.warnings:
                    self._print(self._out, [("    " + visible(warning), _ODD)])
            else:
                self.failure(test, full=full)

    def failure(self, test: TestResult, *, full: bool = False) -> None:
        """The block under a test that did not pass."""
        with self._lock:
            self._print(self._out, [])
            for line in blocks(test, full=full):
                self._print(self._out, _shown(line))
            self._print(self._out, [])

    def summary(self, run: RunResult, report: Path | str | None = None) -> None:
        """The counts at the end, by set if there are several, and which tests were not green."""
        with self._lock:
            self.blank()
            if len(run.sets) > 1 or any(each.reason for each in run.sets):
                width = max(len(each.name) for each in run.sets)
                for each in run.sets:
                    self._print(self._out, _set_line(each.name.ljust(width), each))
                self.blank()
            bad = [test for test in run.tests if test.verdict is not Verdict.PASSED]
            style = {Verdict.PASSED: _GOOD, Verdict.FAILED: _BAD, Verdict.ERRORED: _ODD}[run.verdict]
            line = [(counted(run), f"{_BOLD} {style}"), (f"  in {_took(run.took)}", _DIM)]
            if report is not None:
                line.append((f"  ·  {report}", _DIM))
            self._print(self._out, line)
            if len(bad) > 1:
                several = len(run.sets) > 1
                names = [f"{test.set}/{test.name}" if several else test.name for test in bad]
                shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
                self._print(self._out, [("not green: ", _DIM), (shown, _PLAIN)])

    def coverage(self, measured: Measured, report: str) -> None:
        """The percentage of each file, the least covered first if there are many, and the total."""
        files = measured.files
        if len(files) > _MOST_FILES:
            files = tuple(sorted(files, key=lambda each: (each.percent, each.name))[:_MOST_FILES])
        with self._lock:
            self.blank()
            width = max([len("coverage"), *(len(each.name) for each in files)])
            total = f"{measured.missing} of {measured.statements} lines missing"
            for each in files:
                line = [
                    (f"  {each.name.ljust(width)}", _PLAIN),
                    (f"{each.shown:>6} %", _GOOD if each.missing == 0 else _PLAIN),
                ]
                if each.missing:
                    line.append((f"   {each.missing} of {each.statements} lines missing", _DIM))
                self._print(self._out, line)
            if len(files) < len(measured.files):
                self._print(self._out, [(f"  and {len(measured.files) - len(files)} more, better covered", _DIM)])
            line = [("coverage".ljust(width + 2), _BOLD), (f"{measured.shown:>6} %", _BOLD)]
            self._print(self._out, [*line, (f"   {total}  ·  {report}", _DIM)])

    # -- how ------------------------------------------------------------------------------------------------------

    def _columns(self, name: str, title: str) -> list[Span]:
        title = cut(title, _WIDEST_TITLE)
        self._name_width = max(self._name_width, len(name))
        self._title_width = max(self._title_width, len(title))
        return [(name.ljust(self._name_width) + "  ", _PLAIN), (title.ljust(self._title_width), _PLAIN)]

    def _print(self, stream: _Stream, line: list[Span]) -> None:
        line = [(self._hide(text), style) for text, style in line]
        with self._lock:
            if self._counter:
                self._out.replace_last("")
            stream.print([(self._prefix, _DIM), *line] if self._prefix else line)
            if self._counter:
                self._out.replace_last(self._counter)


def _shown(line: Line) -> list[Span]:
    """A line of a failure block, indented below its test."""
    deeper = line.role in (Role.GONE, Role.NEW, Role.SAME, Role.ASIDE, Role.REMEDY)
    spans = [(("      " if deeper else "    ") + visible(line.text), _ROLES[line.role])]
    if line.note:
        spans.append((f"   {visible(line.note)}", _DIM))
    return spans if line.text else []


def _set_line(name: str, each: Any) -> list[Span]:
    passed, failed, errored = (each.count(verdict) for verdict in Verdict)
    if not each.tests:
        return [(f"  {name}  ", _PLAIN), (visible(_why(each)), _ODD)]
    line = [(f"  {name}  ", _PLAIN), (f"{passed:>5} passed", _GOOD if passed else _DIM)]
    line.append((f"{failed:>5} failed", _BAD if failed else _DIM))
    if errored:
        line.append((f"{errored:>5} errored", _ODD))
    line.append((f"{_took(each.took):>10}", _DIM))
    if each.status not in (SetStatus.PASSED, SetStatus.FAILED):
        line.append((f"   {visible(_why(each))}", _ODD))
    return line


def _why(each: Any) -> str:
    """Why a set is not what it should be, in a line: the rest was told before."""
    return str(each.reason or each.status).partition("\n")[0]


def _took(seconds: float) -> str:
    if seconds < 0.0095:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 90 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


class _Stream:
    """One of the two places where rr prints, and what it can show."""

    def __init__(self, file: TextIO, environ: Mapping[str, str]) -> None:
        self._file = file
        self.is_terminal = (
            file.isatty()
            and not environ.get("NO_COLOR")
            and environ.get("CI", "").lower() not in ("1", "true")
            and environ.get("TERM") != "dumb"
        )
        encoding = (getattr(file, "encoding", None) or "utf-8").lower().replace("-", "").replace("_", "")
        self._utf8 = encoding.startswith("utf")
        self._encoding = encoding
        self._rich: RichConsole | None = None
        self._last = False  # whether the cursor stands at the end of a line that changes

    def print(self, line: list[Span]) -> None:
        if not self.is_terminal:
            self._file.write(self._fit("".join(text for text, _ in line).rstrip()) + "\n")
            self._file.flush()
            return
        from rich.text import Text

        text = Text()
        for part, style in line:
            text.append(self._fit(part), style or None)
        self._terminal().print(text, soft_wrap=True)

    def replace_last(self, text: str) -> None:
        """The line under all others, on a terminal; empty: it goes."""
        if text or self._last:
            self._file.write("\r\x1b[2K" + (f"\x1b[2m{self._fit(text)}\x1b[0m" if text else ""))
            self._file.flush()
            self._last = bool(text)

    def _terminal(self) -> RichConsole:
        if self._rich is None:
            from rich.console import Console as RichConsole

            self._rich = RichConsole(file=self._file, highlight=False, markup=False, emoji=False)
        return self._rich

    def _fit(self, text: str) -> str:
        if self._utf8:
            return text if text.isascii() else text.encode(errors="replace").decode()
        return text.translate(_ASCII).encode(self._encoding, errors="backslashreplace").decode(self._encoding)
