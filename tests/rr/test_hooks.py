"""Hooks: the project's own commands around a test set."""

from __future__ import annotations

from pathlib import Path

import pytest

from rr.hooks import run_hook
from testset.errors import HookError


def test_a_hook_knows_the_set(tmp_path: Path) -> None:
    run_hook("pre", f"echo $RR_TEST_SET > {tmp_path}/said", "test-set-3")
    assert (tmp_path / "said").read_text() == "test-set-3\n"


def test_without_a_command_nothing_is_run() -> None:
    run_hook("post", None, "test-set-3")


def test_a_hook_that_fails_is_named_with_what_it_said() -> None:
    with pytest.raises(HookError) as failed:
        run_hook("pre", "echo the database is away; exit 3", "test-set-3")
    assert "hooks.pre of test-set-3 ended with exit code 3: echo" in str(failed.value)
    assert "    the database is away" in str(failed.value)
