"""What README and docs name is there: files, modules, commands, options, targets of make, settings, error codes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.registry import room_for_kind
from rr.__main__ import arguments
from testset import errors
from testset.text import parse_document

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
ROOMS = ("testset", "protocols", "intercept", "recorder", "replayer", "rr")
COMMANDS = (
    "record", "recover", "test", "noise", "rerecord", "templatize", "report", "normalize", "config", "doctor",
    "mock serve", "mock record", "mock replay", "secrets list", "secrets show", "secrets exempt", "secrets rotate",
)  # fmt: skip

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page: Path) -> set[str]:
    """What a link may name on a page, as GitHub makes it of a headline."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", title.lower())
        found.add(words.replace(" ", "-"))
    return found


def errors_of_rr() -> Iterator[type[errors.RRError]]:
    for each in vars(errors).values():
        if isinstance(each, type) and issubclass(each, errors.RRError):
            yield each


# -- links and files ------------------------------------------------------------------------------------------------


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name} links to {target}, and {there.name} has no such headline"


@each_page
def test_files_of_the_repository_that_are_named_exist(page: Path) -> None:
    for path in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|md|toml|json|txt))`", page.read_text("utf-8")):
        if not path.startswith("bench/results"):  # made by `make bench`
            places = (ROOT, ROOT / "replayer", ROOT / "protocols", page.parent)
            assert any((place / path).exists() for place in places), f"{page.name} names {path}"


def test_no_page_is_an_island() -> None:
    """Every page can be reached from README by following links."""
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)#:]+\.md)", page.read_text("utf-8"))
        waiting.extend((page.parent / target).resolve() for target in targets)
    assert {page for page in PAGES if page not in seen} == set()


# -- the architecture -----------------------------------------------------------------------------------------------


def test_the_reading_order_names_every_module_once() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    order = text.partition("## Reading order")[2].partition("## Where each hard thing")[0]
    assert order, "docs/architecture.md has lost its reading order"
    named = re.findall(r"`([\w/]+\.py)`", order)
    there = {str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    there = {path for path in there if not path.endswith("/__init__.py")}
    assert there - set(named) == set(), "these are not in the reading order of docs/architecture.md"
    assert set(named) - there == set(), "docs/architecture.md names these, and they are not there"
    assert sorted(path for path in named if named.count(path) > 1) == []


def test_names_of_the_code_in_the_architecture_exist() -> None:
    """`Relay._enter`: a class and its method."""
    text = (DOCS / "architecture.md").read_text("utf-8")
    code = "\n".join(path.read_text("utf-8") for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    for owner, method in re.findall(r"`(_?[A-Z]\w+)\.(\w+)`", text):
        assert re.search(rf"^class {owner}\b", code, re.MULTILINE), f"there is no class {owner}"
        assert re.search(rf"def {method}\b", code), f"there is no method {method}"


# -- commands, options, targets -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def options() -> dict[str, set[str]]:
    """The options of every command, as `--help` shows them."""
    found = {}
    for command in ("", *COMMANDS):
        done = subprocess.run(
            [sys.executable, "-m", "rr", *command.split(), "--help"],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env={"COLUMNS": "200", "PATH": ""},
        )  # fmt: skip
        assert done.returncode == 0, f"rr {command} --help: {done.stderr}"
        lines = "\n".join(re.findall(r"^  +-.*$", done.stdout, re.MULTILINE))
        found[command] = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", lines))
        if not command:
            listed = set(re.findall(r"^  ([a-z]+)  ", done.stdout, re.MULTILINE))
            assert listed == {each.split()[0] for each in COMMANDS}, "COMMANDS in this test is not what rr has"
    return found


def invocations(page: Path) -> Iterator[str]:
    """What follows `rr ` where a page shows rr as a command: in a code span, after a prompt, in a step of CI."""
    fenced = False
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            yield from re.findall(r"^\s*(?:\$ |- run: )?rr ((?!=).+?)(?:\s+#.*)?$", line)
        else:
            yield from re.findall(r"`rr ([^`]+)`", line)


@each_page
def test_commands_that_are_shown_exist_with_their_options(page: Path, options: dict[str, set[str]]) -> None:
    for shown in invocations(page):
        ours = re.sub(r"\"[^\"]*\"|'[^']*'| -- .*", "", shown)  # the command of the app has options of its own
        command = next((each for each in COMMANDS if f"{ours} ".startswith(f"{each} ")), "")
        assert command or ours in ("mock", "secrets") or ours.startswith("-"), f"{page.name} shows `rr {shown}`"
        given = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", ours))
        assert given <= options[command], f"{page.name}: `rr {shown}` has {sorted(given - options[command])}"


@each_page
def test_targets_of_make_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for target in re.findall(r"(?:`|\$ )make ([a-z]+)", page.read_text("utf-8")):
        assert target in targets, f"{page.name} names `make {target}`"


def test_options_that_the_readme_names_alone_exist(options: dict[str, set[str]]) -> None:
    """An option in a code span of its own is one of rr's, but in the first column of the table for Keploy's users."""
    every = set().union(*options.values())
    text = (ROOT / "README.md").read_text("utf-8")
    table = (ROOT / "docs" / "keploy.md").read_text("utf-8").partition("| Keploy | rr |")[2]
    rows = [line.split("|")[2:] for line in table.splitlines() if line.startswith("| `")]
    assert rows, "docs/keploy.md has lost its table for Keploy's users"
    for place in (text, *(cell for row in rows for cell in row)):
        for option in re.findall(r"`(--?[a-z][a-zA-Z-]*)", place):
            assert arguments([option])[0] in every, f"README names {option}"


def test_settings_that_are_named_exist() -> None:
    from rr.settings import known_settings

    known = {setting.name for setting in known_settings()}
    sections = "|".join(sorted({name.partition(".")[0] for name in known if "." in name}))
    for page in PAGES:
        for name in re.findall(rf"`((?:{sections})\.[a-z_A-Z.]+)`", page.read_text("utf-8")):
            plain = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()
            assert plain in known or (ROOT / name).exists() or name.startswith("record._"), f"{page.name} names {name}"


# -- errors ---------------------------------------------------------------------------------------------------------


def test_every_error_has_a_code_of_its_own_and_a_remedy() -> None:
    classes = list(errors_of_rr())
    codes = [each.code for each in classes]
    assert len(codes) == len(set(codes)), "two errors share a code"
    assert all(each.default_remedy and each.__doc__ for each in classes)


def test_the_page_of_errors_is_complete_and_says_the_same_as_rr() -> None:
    rows = re.findall(r"^\| `(RR\d+)` \| (.+?) \| (.+) \|$", (DOCS / "errors.md").read_text("utf-8"), re.MULTILINE)
    said = [(code, remedy) for code, _, remedy in rows]
    assert said == sorted((each.code, each.default_remedy) for each in errors_of_rr())


@each_page
def test_codes_of_errors_that_are_named_exist(page: Path) -> None:
    codes = {each.code for each in errors_of_rr()}
    assert set(re.findall(r"\bRR\d{3}\b", page.read_text("utf-8"))) <= codes


# -- recordings that are shown --------------------------------------------------------------------------------------


@each_page
def test_documents_that_are_shown_can_be_read(page: Path) -> None:
    for block in re.findall(r"^```yaml\n(version: .*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        document = parse_document(block, path=page)
        exchange = room_for_kind(document.kind).from_spec(document.kind, document.spec)
        assert exchange.request, f"{page.name} shows a document in which nothing is asked"


# -- the README -----------------------------------------------------------------------------------------------------


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 250
