"""A process of a test's own: output in a file, waited for by condition, ended by its id when the block is left."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.waiting import eventually


class Running:
    """A command that runs while the `with` block does.

    With `terminal=True` it gets a terminal of its own, as in a person's shell: `interrupt()` then types Ctrl-C.
    Otherwise its output is a file and its input is empty, as in CI.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        terminal: bool = False,
        end_ceiling: float = 20.0,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self.cwd = cwd
        self.env = env
        self.terminal = terminal
        self.end_ceiling = end_ceiling
        self._master: int | None = None
        self._drain: threading.Thread | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as output:
            if self.terminal:
                self._start_in_terminal()
            else:
                self.process = subprocess.Popen(
                    self.command, cwd=self.cwd, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    start_new_session=True,
                )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self.process.send_signal(number)
            try:
                self.process.wait(self.end_ceiling)
            except subprocess.TimeoutExpired:
                continue
        self._close_terminal()

    @property
    def output(self) -> str:
        """What it has printed so far, on both streams."""
        return self.log.read_text("utf-8", "replace")

    def until(self, condition: Callable[[], object], what: str, ceiling: float = 20.0) -> None:
        """Wait for `condition`. Fails at once, with the output, when the process ends before."""

        def met_or_ended() -> bool:
            # in this order: a process may meet the condition and end
            return bool(condition()) or self.process.poll() is not None

        eventually(met_or_ended, lambda: f"{what}\n{self._said()}", ceiling)
        if not condition():
            raise AssertionError(
                f"ended with exit code {self.process.returncode} while the test waited for: {what}\n{self._said()}"
            )

    def until_says(self, text: str, ceiling: float = 20.0) -> None:
        self.until(lambda: text in self.output, f"output with {text!r}", ceiling)

    def interrupt(self) -> None:
        """Ctrl-C: typed into the terminal, or SIGINT to the process alone."""
        if self._master is not None:
            os.write(self._master, b"\x03")
        else:
            self.process.send_signal(signal.SIGINT)

    def wait(self, ceiling: float | None = None) -> int:
        """The exit code, once the process has ended by itself."""
        try:
            code = self.process.wait(self.end_ceiling if ceiling is None else ceiling)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still runs after {self.end_ceiling if ceiling is None else ceiling:g} s\n{self._said()}"
            ) from None
        if self._drain is not None:
            self._drain.join(5)
        return code

    def _said(self) -> str:
        return f"$ {' '.join(self.command)}\n{self.output[-4000:]}"

    def _start_in_terminal(self) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            self.command, cwd=self.cwd, env=self.env, stdin=slave, stdout=slave, stderr=slave,
            preexec_fn=lambda: os.login_tty(os.dup(slave)),
        )  # fmt: skip
        os.close(slave)
        self._drain = threading.Thread(target=self._copy_terminal, args=(self._master,), daemon=True)
        self._drain.start()

    def _copy_terminal(self, master: int) -> None:
        with self.log.open("ab", buffering=0) as output:
            while True:
                try:
                    data = os.read(master, 65536)
                except OSError:  # EIO: the last process of the terminal has gone
                    return
                if not data:
                    return
                output.write(data)

    def _close_terminal(self) -> None:
        if self._drain is not None:
            self._drain.join(5)
        if self._master is not None:
            os.close(self._master)
            self._master = None
