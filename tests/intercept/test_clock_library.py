"""The library that moves the clock: found, made, made once, or not to be had."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pytest

from intercept import clock_library
from intercept.clock_library import SOURCE, Kind, Library, NoLibrary, beside, build, find
from tests.harness.programs import program

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, on a machine without libfaketime."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(clock_library, "_FOLDERS", ())
    return tmp_path / "cache"


def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_library, "compilers", lambda _machine: list[list[str]]())


def test_it_is_made_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = find()
    assert isinstance(made, Library)
    assert made.kind is Kind.OWN
    assert made.path.parent == cache / "rr"
    assert (cache / "rr").stat().st_mode & 0o077 == 0
    assert [path.name for path in (cache / "rr").iterdir()] == [made.path.name], "something was left behind"
    no_compiler(monkeypatch)
    assert find() == made


def test_another_source_is_another_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = find()
    changed = tmp_path / "clock.c"
    changed.write_text(SOURCE.read_text() + "\n")
    monkeypatch.setattr(clock_library, "SOURCE", changed)
    assert find() != first


def test_what_rr_was_installed_with_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = beside(tmp_path, platform.machine())
    installed.touch()
    monkeypatch.setattr(clock_library, "SOURCE", tmp_path / "clock.c")
    assert find() == Library(installed, Kind.OWN)


def test_another_processor_is_not_this_one_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a container of another platform: there may be none, but never the wrong one."""
    other = next(machine for machine in clock_library.MACHINES if machine != platform.machine())
    assert all(other in " ".join(words) for words in clock_library.compilers(other))
    no_compiler(monkeypatch)
    found = find(other)
    assert isinstance(found, NoLibrary)
    assert found.why == f"there is no C compiler for {other}"
    assert isinstance(find("riscv64"), NoLibrary)


def test_without_a_compiler_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    no_compiler(monkeypatch)
    found = find()
    assert isinstance(found, NoLibrary)
    assert found.why == "there is no C compiler"
    assert "apt install" in found.remedy


def test_a_compiler_that_fails_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken-cc"
    broken.write_text("#!/bin/sh\necho 'fatal error: disk full' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(clock_library, "compilers", lambda _machine: [[str(broken)]])
    found = find()
    assert isinstance(found, NoLibrary)
    assert found.why == f"{broken} cannot make it: fatal error: disk full"
    monkeypatch.setattr(clock_library, "compilers", lambda _machine: [[str(broken)], [program("gcc")]])
    assert isinstance(find(), Library)


def test_libfaketime_is_the_second_choice_if_programs_can_sleep_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "lib" / "faketime" / "libfaketime.so.1"
    other.parent.mkdir(parents=True)
    build(other, [program("gcc")])
    monkeypatch.setattr(clock_library, "_FOLDERS", (str(tmp_path / "lib"),))
    own = find()
    assert isinstance(own, Library)
    assert own.kind is Kind.OWN
    own.path.unlink()
    no_compiler(monkeypatch)
    assert find() == Library(other, Kind.FAKETIME)
    broken = tmp_path / "broken.c"
    broken.write_text("int clock_nanosleep(int a, int b, void *c, void *d) { return 22; }")
    subprocess.run([program("gcc"), "-shared", "-fPIC", "-o", other, broken], check=True)
    assert isinstance(find(), NoLibrary)


def test_a_cache_that_others_may_write_is_not_used(cache: Path) -> None:
    (cache / "rr").mkdir(parents=True)
    (cache / "rr").chmod(0o777)
    found = find()
    assert isinstance(found, NoLibrary)
    assert "belongs to somebody else" in found.why


def test_it_asks_for_no_version_of_any_symbol(tmp_path: Path) -> None:
    """So it loads with every glibc since 2.17, and with musl."""
    target = tmp_path / "clock.so"
    build(target, [program("gcc")])
    shown = subprocess.run(
        ["readelf", "-W", "--dyn-syms", "-d", str(target)], capture_output=True, text=True, check=True
    )
    wanted = set(re.findall(r"UND (\S+)$", shown.stdout, re.MULTILINE))
    assert wanted == {"close", "dlsym", "dlvsym", "getenv", "mmap", "open", "read"}
    assert re.findall(r"NEEDED.*\[(.+)\]", shown.stdout) == ["libpthread.so.0", "libdl.so.2"]
    assert "GLIBC" not in shown.stdout
    assert target.stat().st_size < 40_000
