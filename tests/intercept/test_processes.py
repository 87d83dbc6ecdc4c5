"""Process trees, of real processes."""

from __future__ import annotations

import os
import signal
import subprocess

import psutil

from intercept.processes import descendants, signal_all
from tests.harness.waiting import eventually


def test_descendants_are_found_parents_first_and_signalled() -> None:
    with subprocess.Popen(["sh", "-c", "sh -c 'sleep 60 & wait' & wait"]) as shell:
        eventually(lambda: len(descendants(shell.pid)) == 2, "both children run")
        tree = descendants(shell.pid)
        assert [psutil.Process(pid).ppid() for pid in tree] == [shell.pid, tree[0]]
        assert shell.pid in descendants(os.getpid())
        assert signal_all(tree, signal.SIGKILL) == 2
        assert shell.wait(5) == 0
    assert descendants(shell.pid) == []


def test_a_zombie_is_not_among_them_and_one_that_is_gone_is_not_signalled() -> None:
    ended = subprocess.Popen(["true"])
    eventually(lambda: psutil.Process(ended.pid).status() == psutil.STATUS_ZOMBIE, "it has ended")
    assert ended.pid not in descendants(os.getpid())
    ended.wait()
    assert signal_all([ended.pid], signal.SIGTERM) == 0


def test_a_name_with_parentheses_and_blanks(tmp_path: object) -> None:
    """/proc/PID/stat has the name in parentheses, unescaped."""
    with subprocess.Popen(["bash", "-c", "printf '%s' 'a) R 1' > /proc/self/comm; sleep 60 & wait"]) as odd:
        child = eventually(lambda: descendants(odd.pid), "its child runs")
        signal_all([*child, odd.pid], signal.SIGKILL)
