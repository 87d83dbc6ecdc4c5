"""What is measured of a process, whatever it does, and what the app sees of it: nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from replayer.coverage.collect import collect
from replayer.coverage.kit import WRITABLE, Kit, find_config, make_kit
from replayer.coverage.measured import Measured
from testset.errors import CoverageError, SettingsError

pytestmark = pytest.mark.system


@dataclass(frozen=True, slots=True)
class Bench:
    """A project, and a kit beside it."""

    project: Path
    out: Path
    shelf: Path

    def write(self, name: str, text: str) -> Path:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def kit(self, **options: object) -> Kit:
        folder = self.shelf / f"kit-{len(list(self.shelf.iterdir()))}"
        folder.mkdir()
        return make_kit(folder, project=self.project, config=find_config([self.project], {}), **options)  # type: ignore[arg-type]

    def run(
        self, kit: Kit, *words: str, env: Mapping[str, str] | None = None, inside: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        own = {"PATH": os.environ["PATH"], **(env or {})}
        return subprocess.run(
            [sys.executable, *words], cwd=self.project, env={**own, **kit.environment(own, str(inside or kit.folder))},
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def collect(self, kit: Kit, **options: object) -> Measured:
        return collect(
            kit.data,
            self.out,
            project=self.project,
            config=find_config([self.project], {}),
            **options,  # type: ignore[arg-type]
        )

    def missing(self, *words: str, env: Mapping[str, str] | None = None) -> list[str]:
        """The lines of app.py that did not run."""
        kit = self.kit()
        self.run(kit, *words, env=env)
        self.collect(kit)
        return missing_lines(self.out, self.project / "app.py")


def missing_lines(out: Path, path: Path) -> list[str]:
    report = json.loads((out / "coverage.json").read_text("utf-8"))["files"][path.name]
    text = path.read_text("utf-8").splitlines()
    return [text[number - 1].strip() for number in report["missing_lines"]]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    for name in ("project", "shelf"):
        (tmp_path / name).mkdir()
    return Bench(tmp_path / "project", tmp_path / "out", tmp_path / "shelf")


# -- whatever ends a process, its lines are kept ---------------------------------------------------------------------

ENDS = {
    "it returns": "pass",
    "os._exit": "os._exit(3)",
    "it becomes another program": "os.execv('/bin/true', ['true'])",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)",
    "SIGTERM, set to its default by the program": (
        "signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.raise_signal(signal.SIGTERM)"
    ),
    "SIGTERM, set to its default by its number": (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(15, 0); signal.raise_signal(15)"
    ),
    "SIGINT, as uvicorn ends itself": (
        "signal.signal(signal.SIGINT, signal.SIG_DFL); signal.raise_signal(signal.SIGINT)"
    ),
    "an exception": "sys.exit('no')",
    "a thread that ends it": "threading.Thread(target=os._exit, args=(3,)).start(); time.sleep(9)",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_what_ran_is_known_whatever_ends_the_process(bench: Bench, end: str) -> None:
    bench.write("app.py", f"import os, signal, sys, threading, time\n{end}\nif os is None:\n    print('never')\n")
    expected = ["print('never')"] if end == "pass" else ["if os is None:", "print('never')"]
    assert bench.missing("app.py") == expected


SUPERVISED = """
import signal, sys
def end(*_):
    sys.exit(0)
for number in (signal.SIGQUIT, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
print("ready", flush=True)
while True:
    signal.pause()
    print("never")
"""


def test_signals_that_come_while_the_data_are_saved_do_not_cost_them(bench: Bench) -> None:
    """A supervisor passes on what its workers have got as well; here they come every millisecond."""
    bench.write("app.py", SUPERVISED)
    kit = bench.kit()
    command, environment = [sys.executable, "app.py"], {**os.environ, **kit.environment({})}
    with subprocess.Popen(command, cwd=bench.project, env=environment, stdout=subprocess.PIPE) as app:
        assert app.stdout is not None
        assert app.stdout.readline() == b"ready\n"
        while app.poll() is None:
            for number in (signal.SIGQUIT, signal.SIGINT, signal.SIGTERM):
                app.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                app.wait(0.001)
    bench.collect(kit)
    missing = missing_lines(bench.out, bench.project / "app.py")
    assert "sys.exit(0)" not in missing
    assert 'print("never")' in missing


# -- the app sees nothing of it --------------------------------------------------------------------------------------

LOOKS = """
import atexit, json, os, signal, sys
print(json.dumps({
    "path": sys.path,
    "handlers": [str(signal.getsignal(number)) for number in range(1, 32)],
    "returned": str(signal.signal(signal.SIGTERM, signal.SIG_IGN)),
    "folder": os.getcwd(),
    "site": getattr(sys.modules.get("sitecustomize"), "__file__", None),
}))
"""


def test_the_app_finds_its_path_its_signals_and_its_folder_as_without(bench: Bench) -> None:
    bench.write("app.py", LOOKS)
    plain = subprocess.run(
        [sys.executable, "app.py"], cwd=bench.project, env={"PATH": os.environ["PATH"]}, capture_output=True, check=True
    )
    kit = bench.kit()
    measured = bench.run(kit, "app.py")
    expected = json.loads(plain.stdout)
    expected["site"] = expected["site"] or str(kit.folder / "sitecustomize.py")  # Debian's Python has one of its own
    assert json.loads(measured.stdout) == expected
    assert measured.stderr == ""


def test_the_project_s_own_sitecustomize_runs_and_what_it_says_reaches_the_app(bench: Bench) -> None:
    bench.write("own/sitecustomize.py", "import builtins\nbuiltins.greeting = 'hello'\n")
    bench.write("app.py", "import sitecustomize\nprint(greeting, sitecustomize.__file__)\n")
    done = bench.run(bench.kit(), "app.py", env={"PYTHONPATH": "own"})
    assert done.stdout.split() == ["hello", str(bench.project / "own" / "sitecustomize.py")], done.stderr


def test_a_sitecustomize_that_fails_does_so_as_without_and_the_app_is_measured(bench: Bench) -> None:
    bench.write("own/sitecustomize.py", "raise ValueError('its own fault')\n")
    bench.write("app.py", "print('runs')\n")
    kit = bench.kit()
    done = bench.run(kit, "app.py", env={"PYTHONPATH": "own"})
    assert done.stdout == "runs\n"
    assert "its own fault" in done.stderr
    assert bench.collect(kit).percent == 100


# -- what counts -----------------------------------------------------------------------------------------------------

SHOP = {
    "app.py": "import shop.orders\nimport tests.helper\nshop.orders.total(1)\n",
    "shop/__init__.py": "",
    "shop/orders.py": "def total(n):\n    if n:\n        return 1\n    raise NotImplementedError\n",
    "shop/unused.py": "print('never')\n",
    "tests/__init__.py": "",
    "tests/helper.py": "print('a test')\n",
}


def shop(bench: Bench, kit: Kit | None = None) -> Measured:
    for name, text in SHOP.items():
        bench.write(name, text)
    kit = kit or bench.kit()
    done = bench.run(kit, "app.py")
    assert done.returncode == 0, done.stderr
    return bench.collect(kit)


def names(measured: Measured) -> set[str]:
    return {each.name for each in measured.files}


def test_a_project_that_says_nothing_is_what_ran_of_its_folder_without_tests(bench: Bench) -> None:
    measured = shop(bench)
    assert names(measured) == {"app.py", "shop/__init__.py", "shop/orders.py"}
    assert (measured.statements, measured.missing) == (7, 1)
    assert measured.is_below(90)
    assert not measured.is_below(85)


@pytest.mark.parametrize("name", [".coveragerc", "setup.cfg", "tox.ini", "pyproject.toml"])
def test_the_project_s_configuration_says_what_counts_wherever_it_stands(bench: Bench, name: str) -> None:
    options: Mapping[str, Mapping[str, Any]] = {
        "run": {"source": ["shop"], "branch": True},
        "report": {"exclude_also": ["raise NotImplementedError"]},
    }
    bench.write(name, _configuration(name, options))
    measured = shop(bench)
    assert names(measured) == {"shop/__init__.py", "shop/orders.py", "shop/unused.py"}
    assert next(each for each in measured.files if each.name == "shop/unused.py").percent == 0
    orders = json.loads((bench.out / "coverage.json").read_text("utf-8"))["files"]["shop/orders.py"]
    assert (orders["missing_lines"], orders["excluded_lines"]) == ([], [4])
    assert "num_branches" in orders["summary"]


def _configuration(name: str, options: Mapping[str, Mapping[str, Any]]) -> str:
    prefix = {".coveragerc": "", "pyproject.toml": "tool.coverage."}.get(name, "coverage:")
    lines = []
    for section, values in options.items():
        lines.append(f"[{prefix}{section}]")
        for key, value in values.items():
            said = json.dumps(value) if name.endswith(".toml") else value[0] if isinstance(value, list) else value
            lines.append(f"{key} = {said}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "options",
    [
        "data_file = mine\nparallel = true",
        "concurrency = multiprocessing, thread\nsigterm = true\npatch = subprocess, fork",
        "concurrency = gevent",
        "plugins = none_such",
        "relative_files = true",
    ],
)
def test_what_rr_decides_itself_has_no_effect(bench: Bench, options: str) -> None:
    bench.write(".coveragerc", f"[run]\n{options}\n")
    assert names(shop(bench)) == {"app.py", "shop/__init__.py", "shop/orders.py"}
    written = {path.name for path in bench.project.iterdir()} - {name.split("/")[0] for name in SHOP}
    assert written <= {".coveragerc", "__pycache__"}


def test_a_configuration_that_cannot_be_read_is_named(bench: Bench) -> None:
    path = bench.write(".coveragerc", "[run]\nbranch = perhaps\n")
    with pytest.raises(SettingsError, match=re.escape(str(path))):
        find_config([bench.project], {})


# -- elsewhere: a container ------------------------------------------------------------------------------------------


def copied(kit: Kit, folder: Path) -> Path:
    for name, content in kit.files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name in WRITABLE:
        (folder / name).mkdir()
    return folder


def left_in(folder: Path) -> list[tuple[str, bytes]]:
    left = [path for path in (folder / "data").rglob("*") if path.is_file()]
    return [(str(path.relative_to(folder / "data")), path.read_bytes()) for path in left]


def test_containers_whose_files_have_the_same_names_are_measured_apart(bench: Bench, tmp_path: Path) -> None:
    kit = bench.kit(elsewhere=True)
    image = tmp_path / "image"
    for part, code in (("order", "a = 1\n"), ("price", "b = 1\nif not b:\n    b = 2\n")):
        here = bench.write(f"{part}/app.py", code).parent
        app = shutil.copytree(here, image / "app")
        inside = copied(kit, image / "rr")
        assert Bench(app, bench.out, bench.shelf).run(Kit(inside), "app.py").returncode == 0
        kit.take(left_in(inside), part)
        shutil.rmtree(image)
    hosts = [bench.project / "order", bench.project / "price"]
    measured = collect(kit.data, bench.out, project=bench.project, hosts=hosts)
    assert {one.name: one.missing for one in measured.files} == {"order/app.py": 0, "price/app.py": 1}
    kept = collect(kit.data, bench.out, project=bench.project)
    assert {one.name.partition("/")[0]: one.missing for one in kept.files} == {"order": 0, "price": 1}


def test_a_kit_works_wherever_it_is_copied_and_brings_the_measured_files_back(bench: Bench, tmp_path: Path) -> None:
    for name, text in SHOP.items():
        bench.write(name, text)
    kit = bench.kit(elsewhere=True)
    inside = copied(kit, tmp_path / "image" / "rr")
    app = shutil.copytree(bench.project, tmp_path / "image" / "app")
    away = Bench(app, bench.out, bench.shelf)
    assert away.run(Kit(inside), "app.py").returncode == 0
    shutil.rmtree(app)
    kit.take([("../escaped", b""), *left_in(inside)])
    assert not (kit.folder / "escaped").exists()

    same = collect(kit.data, bench.out, project=bench.project, hosts=[bench.shelf, bench.project])
    assert names(same) == {"app.py", "shop/__init__.py", "shop/orders.py"}
    assert str(bench.project) in (bench.out / "coverage.xml").read_text("utf-8"), "the project is what was measured"

    bench.write("shop/orders.py", "# changed since the image was built\n")
    other = collect(kit.data, bench.out, project=bench.project, hosts=[bench.project])
    assert other.files == same.files, "what was measured counts, not what is here"


def test_without_the_part_in_c_the_lines_are_the_same_and_rr_says_that_it_is_slow(bench: Bench) -> None:
    quick = shop(bench)
    kit = bench.kit(elsewhere=True)
    for part in (kit.folder / "lib" / "coverage").glob("tracer*.so"):
        part.unlink()
    slow = shop(bench, kit)
    assert slow.files == quick.files
    assert sys.version_info >= (3, 12) or any("is slow" in warning for warning in slow.warnings)


def too_old(kit: Kit) -> Kit:
    """A kit whose coverage.py wants a newer Python than there is."""
    settings = kit.folder / "settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text("utf-8")) | {"oldest": [9, 0], "lib": "/nowhere"}))
    return kit


def test_a_python_that_is_too_old_is_told_of_and_the_app_runs_on(bench: Bench) -> None:
    kit = too_old(bench.kit())
    bench.write("app.py", "print('runs')\n")
    bench.write("own/coverage.py", "raise ImportError('the app has none')\n")
    assert bench.run(kit, "app.py", env={"PYTHONPATH": "own"}).stdout == "runs\n"
    with pytest.raises(CoverageError, match="No Python process") as told:
        bench.collect(kit)
    assert "needs Python 9.0 or newer" in told.value.remedy


def test_an_old_python_is_measured_with_the_coverage_that_the_app_has_itself(bench: Bench) -> None:
    assert names(shop(bench, too_old(bench.kit()))) == {"app.py", "shop/__init__.py", "shop/orders.py"}


def test_data_that_cannot_be_written_are_told_of_and_the_app_ends_as_without(bench: Bench) -> None:
    kit = bench.kit()
    bench.write(
        "app.py", f"import shutil\nshutil.rmtree({str(kit.data)!r} + '/..', ignore_errors=True)\nprint('runs')\n"
    )
    done = bench.run(kit, "app.py")
    assert (done.returncode, done.stdout) == (0, "runs\n")
