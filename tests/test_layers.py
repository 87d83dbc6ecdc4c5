"""Holds the import rules of docs/architecture.md, and that rr works in a project with modules of the same names."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
ROOMS = ("testset", "protocols", "intercept", "recorder", "replayer", "rr")

# What each room may import of the others: a room, or single modules of it.
ALLOWED: dict[str, frozenset[str]] = {
    "testset": frozenset(),
    "protocols": frozenset({"testset.model", "testset.errors"}),
    "intercept": frozenset({"testset", "protocols"}),
    "recorder": frozenset({"testset", "protocols", "intercept"}),
    "replayer": frozenset({"testset", "protocols", "intercept"}),
    "rr": frozenset(ROOMS),
}

# Folders of the repository that are no part of the product: no room may lean on them.
OUTSIDE = ("tests", "bench", "sample_app", "keploy")


@dataclass(frozen=True, slots=True)
class Import:
    line: int
    module: str


def imports(source: str, package: str) -> Iterator[Import]:
    """Every import in a module, those inside functions included. `package` is where the module lives."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (Import(node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = package.split(".")[: len(package.split(".")) + 1 - level] if level else []
                origin = ".".join([*base, *([module] if module else [])])
                # `from testset import model` imports testset.model: the longest name decides what is allowed
                yield from (Import(node.lineno, f"{origin}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name(id="__import__") | ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield Import(node.lineno, name)
            case _:
                pass


def is_allowed(room: str, module: str) -> bool:
    top = module.partition(".")[0]
    if top in OUTSIDE:
        return False
    if top not in ROOMS or top == room:
        return True
    return any(module == permitted or module.startswith(f"{permitted}.") for permitted in ALLOWED[room])


def offences(room: str, house: Path = HOUSE) -> list[str]:
    found = []
    for path in sorted((house / room).rglob("*.py")):
        package = ".".join(path.parent.relative_to(house).parts)
        for item in imports(path.read_text("utf-8"), package):
            if not is_allowed(room, item.module):
                permitted = ", ".join(sorted(ALLOWED[room] - {room})) or "no other room"
                found.append(
                    f"{path.relative_to(house)}:{item.line}: imports {item.module}; {room} may import {permitted}"
                )
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_the_architecture_allows(room: str) -> None:
    assert list((HOUSE / room).rglob("*.py")), f"the room {room}/ is gone"
    assert not offences(room), "\n".join(["docs/architecture.md says who may import whom:", *offences(room)])


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_of_a_room_can_be_imported(room: str) -> None:
    """Most imports of rr are late, so that it starts quickly: this is where a wrong one is found."""
    for path in sorted((HOUSE / room).rglob("*.py")):
        importlib.import_module(".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__"))


def test_every_room_has_its_line_in_the_architecture() -> None:
    page = (HOUSE / "docs" / "architecture.md").read_text("utf-8")
    missing = [room for room in ROOMS if f"| {room} |" not in page]
    assert not missing, f"docs/architecture.md has no line in its table of imports for {missing}"


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("testset", "import protocols.http"),
        ("testset", "def late():\n    from recorder import journal"),
        ("protocols", "from testset import store"),
        ("protocols", "import testset"),
        ("recorder", "from replayer.verdict import Verdict"),
        ("replayer", "import importlib\nimportlib.import_module('recorder.journal')"),
        ("intercept", "from rr.settings import Settings"),
        ("intercept", "if True:\n    import tests.apps"),
    ],
)
def test_a_forbidden_import_is_named_with_its_file_and_line(tmp_path: Path, room: str, source: str) -> None:
    (tmp_path / room).mkdir()
    (tmp_path / room / "offender.py").write_text(source)
    last_line = len(source.splitlines())
    [offence] = offences(room, tmp_path)
    assert offence.startswith(f"{room}/offender.py:{last_line}: imports ")


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("protocols", "from testset.model import Exchange\nfrom testset import errors\nfrom . import wire"),
        ("recorder", "from protocols import registry\nfrom intercept.journal import read\nimport testset.store"),
        ("rr", "from recorder import session\nfrom replayer import runner"),
    ],
)
def test_an_allowed_import_passes(tmp_path: Path, room: str, source: str) -> None:
    (tmp_path / room).mkdir()
    (tmp_path / room / "guest.py").write_text(source)
    assert offences(room, tmp_path) == []


@pytest.fixture
def project_with_our_names(tmp_path: Path) -> Path:
    """A user's project whose own modules are called as rr's rooms are, and break when rr imports them by mistake."""
    for room in ROOMS:
        if room != "rr":  # `python -m rr` would run the user's own module, as Python must
            (tmp_path / f"{room}.py").write_text("raise SystemExit('rr imported a module of the user’s project')\n")
    return tmp_path


@pytest.mark.parametrize("command", [[str(Path(sys.executable).with_name("rr"))], [sys.executable, "-m", "rr"]])
@pytest.mark.parametrize("also_on_the_path", [False, True], ids=["folder", "folder and PYTHONPATH"])
def test_rr_works_in_a_project_with_a_protocols_module_of_its_own(
    project_with_our_names: Path, command: list[str], also_on_the_path: bool
) -> None:
    environment = dict(os.environ)
    if also_on_the_path:
        environment["PYTHONPATH"] = str(project_with_our_names)
    # `rr test` finds no recording, which it can only say once it has imported its rooms
    for arguments, code, said in ((["--help"], 0, "Usage"), (["test", "-c", "true"], 2, "rr record")):
        done = subprocess.run(
            [*command, *arguments],
            cwd=project_with_our_names,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert said in done.stdout + done.stderr
