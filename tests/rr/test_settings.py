"""The project's settings: where they come from, what is wrong with them, and that the docs tell the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rr.readers import duration, size
from rr.settings import (
    Destination,
    Filter,
    NoisePlaces,
    Settings,
    known_settings,
    load_settings,
    remember,
)
from testset.errors import SettingsError

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def read(folder: Path, text: str, name: str = "rr.yml") -> Settings:
    (folder / name).write_text(text)
    return load_settings(folder, environ={})


def test_without_a_file_everything_is_default(tmp_path: Path) -> None:
    assert load_settings(tmp_path, environ={}) == Settings()


def test_every_section(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """\
command: python app.py
build-delay: 1m30s
record:
  filters: [{path: /api/.*, urlMethods: [get, POST], matchType: AND, filterPolicy: exclude}]
  passThrough: [sentry.io, "db:3306", ":4317", 8125, {host: "::1"}]
  app_ports: [8080]
test:
  apiTimeout: 7
  globalNoise:
    global: {body: {created_at: []}, header: {Date: "*"}}
    test-sets: {test-set-0: {body: {id: ["[0-9]+"]}}}
journal: {limit: 64MiB}
sockets: {allow: [/run/dbus]}
redact:
  add: {names: [iban]}
  exempt: [demo123]
""",
    )
    assert settings.command == "python app.py"
    assert settings.build_delay == 90
    assert settings.record.filters == (
        Filter(path="/api/.*", methods=("GET", "POST"), match_type="and", filter_policy="exclude"),
    )
    assert settings.record.pass_through == (
        Destination("sentry.io"),
        Destination("db", 3306),
        Destination(None, 4317),
        Destination(None, 8125),
        Destination("::1"),
    )
    assert settings.record.app_ports == (8080,)
    assert settings.test.api_timeout == 7
    assert settings.test.global_noise.everywhere == NoisePlaces(body={"created_at": ()}, header={"Date": ("*",)})
    assert settings.test.global_noise.test_sets == {"test-set-0": NoisePlaces(body={"id": ("[0-9]+",)})}
    assert settings.journal.limit == 64 << 20
    assert settings.sockets.allow == ("/run/dbus",)
    assert settings.redact.rules().names == ("iban",)
    assert settings.origins["test.api_timeout"] == "rr.yml:8"


def test_a_flag_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "rr.yml").write_text("command: file\ncontainer_name: file\nbuild_delay: 1\ntest: {delay: 1}\n")
    settings = load_settings(
        tmp_path,
        {"command": "flag", "test.delay": None},
        environ={
            "RR_COMMAND": "env",
            "RR_CONTAINER_NAME": "env",
            "RR_RECORD_APP_PORTS": "80, 81",
            "RR_TEST_DELAY": "2s",
        },
    )
    assert (settings.command, settings.container_name, settings.build_delay) == ("flag", ("env",), 1)
    assert settings.record.app_ports == (80, 81)
    assert settings.test.delay == 2
    assert settings.origins["command"] == "--command"
    assert settings.origins["container_name"] == "RR_CONTAINER_NAME"
    assert settings.origins["build_delay"] == "rr.yml:3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("comand: x\n", "rr.yml:1: there is no setting `comand` (did you mean `command`?)"),
        ("delay: 5\n", "rr.yml:1: there is no setting `delay` (did you mean `test.delay`?)"),
        ("# x\ntest:\n  dealy: 5\n", "rr.yml:3: there is no setting `test.dealy` (did you mean `test.delay`?)"),
        ("xyzzy: 5\n", "rr.yml:1: there is no setting `xyzzy`"),
        ("test:\n  delay: soon\n", "rr.yml:2: `test.delay` must be a duration such as 30s or 1m30s, found 'soon'"),
        ("test: {outbound: maybe}\n", "rr.yml:1: `test.outbound` must be fail or report, found 'maybe'"),
        ("test: {on_miss: pass}\n", "rr.yml:1: `test.on_miss` must be one of fail, passthrough, record, found 'pass'"),
        ("record: 5\n", "rr.yml:1: `record` must be a mapping of settings, found 5"),
        ("record: {app_ports: [0]}\n", "rr.yml:1: `record.app_ports` must be a port (1 to 65535), found [0]"),
        ("record: {sync: 3}\n", "rr.yml:1: `record.sync` must be true or false, found 3"),
        ("journal: {limit: lots}\n", "rr.yml:1: `journal.limit` must be a size such as 128MiB, found 'lots'"),
        ("redact: {add: {patterns: ['(']}}\n", "`redact.add.patterns` must be a regular expression (missing ), "),
        ("record:\n  filters:\n    - {paht: /x}\n", "rr.yml:2: `record.filters` must be a mapping of path, host, "),
        ("command: [\n", "rr.yml:2: this is not YAML: "),
        ("command: x\ncommand: y\n", "rr.yml:2: this is not YAML: the key 'command' is there twice"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "rr.yml"))
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("said", "names"),
    [("a", ("a",)), ("[a, b]", ("a", "b")), ("[a]", ("a",)), ("''", ()), ("[]", ())],
)
def test_one_container_is_a_text_and_several_are_a_list(tmp_path: Path, said: str, names: tuple[str, ...]) -> None:
    assert read(tmp_path, f"container_name: {said}\n").container_name == names
    given = load_settings(tmp_path, {"container_name": ["x", "y"]}, environ={"RR_CONTAINER_NAME": "c, d"})
    assert given.container_name == ("x", "y")
    assert load_settings(tmp_path, environ={"RR_CONTAINER_NAME": "c, d"}).container_name == ("c", "d")


def test_a_wrong_flag_or_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--api-timeout must be a duration such as 30s or 1m30s, found 'x'"):
        load_settings(tmp_path, {"test.api_timeout": "x"}, environ={})
    with pytest.raises(SettingsError, match=r"RR_JOURNAL_LIMIT must be a size such as 128MiB, found 'x'"):
        load_settings(tmp_path, environ={"RR_JOURNAL_LIMIT": "x"})


def test_keploys_file_is_read_where_it_means_the_same(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """\
path: ""
appName: orders
command: docker compose up
containerName: ""
buildDelay: 45
proxyPort: 16789
test:
  selectedTests: {test-set-0: [test-1]}
  globalNoise: {global: {}, test-sets: {}}
  delay: 10
  healthUrl: ""
  mocking: true
record:
  recordTimer: 0s
  filters: [{path: "", urlMethods: [GET], headers: {}, port: 0, matchType: OR}]
""",
        "keploy.yml",
    )
    assert (settings.command, settings.container_name, settings.build_delay) == ("docker compose up", (), 45)
    assert (settings.path, settings.test.delay, settings.test.health_url) == (Path(), 10, None)
    assert settings.test.selected_tests == {"test-set-0": ("test-1",)}
    assert settings.record.filters == (Filter(methods=("GET",)),)
    assert settings.ignored == ("appName", "proxyPort", "test.mocking")


def test_rr_yml_comes_before_keploys_file(tmp_path: Path) -> None:
    (tmp_path / "keploy.yml").write_text("command: keploy\n")
    assert read(tmp_path, "command: rr\n").command == "rr"


def test_the_file_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "rr.yml").write_text("path: sub\n")
    for file in (tmp_path / "other", tmp_path / "other" / "rr.yml"):
        assert load_settings(tmp_path, environ={}, file=file).path == tmp_path / "other" / "sub"
    with pytest.raises(SettingsError, match=r"none\.yml is not there"):
        load_settings(tmp_path, environ={}, file=tmp_path / "none.yml")


def test_what_is_remembered_is_read_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "rr.yml"
    remember(path, {"command": "python app.py", "test.delay": 5})
    assert path.read_text() == (
        "# The settings of rr for this project; `rr config` shows every setting with its default.\n"
        "command: python app.py\n"
        "test:\n"
        "  delay: 5\n"
    )
    path.write_text("# ours\ntest:   # how it is tested\n    api-timeout: 7   # slow\ncontainerName: a\n")
    remember(path, {"test.api_timeout": 9, "container_name": "b", "record.app_ports": [8080]})
    assert path.read_text() == (
        "# ours\ntest:   # how it is tested\n    api-timeout: 9   # slow\ncontainerName: b\n"
        "record:\n  app_ports: [8080]\n"
    )
    assert load_settings(tmp_path, environ={}).record.app_ports == (8080,)
    before = path.stat().st_mtime_ns
    remember(path, {"container_name": "b"})
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("text", "number"),
    [("128MiB", 128 << 20), ("8GiB", 8 << 30), ("1MB", 10**6), ("64k", 64 << 10), ("0", 0), (5, 5), ("1.5 KiB", 1536)],
)
def test_sizes(text: object, number: int) -> None:
    assert size(text) == number


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200), (30, 30), ("30", 30), (0.5, 0.5)]
)
def test_durations(text: object, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("wrong", [True, None, "", "x", "-1", -1, "1d", "s", [], float("nan")])
def test_what_is_neither(wrong: object) -> None:
    for reader in (size, duration):
        with pytest.raises(ValueError, match="such as"):
            reader(wrong)


def test_defaults_are_what_they_are_said_to_be() -> None:
    built = Settings()
    for known in known_settings():
        value: object = built
        for name in known.name.split("."):
            value = getattr(value, name)
        if known.default not in ("", "[]", "{}"):
            assert known.read(known.default) == value, known.name
        else:
            assert not value or known.name == "test.global_noise", known.name


def test_the_docs_list_every_setting_with_its_default_and_variable() -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in DOCS.read_text().splitlines()
        if line.startswith("| `")
    ]
    expected = [
        [f"`{known.name}`", f"`{known.default}`" if known.default else "", f"`{known.env}`", known.doc]
        for known in known_settings()
    ]
    assert rows == expected


def test_reading_no_settings_imports_nothing_heavy() -> None:
    code = (
        "import sys, rr.settings; print([m for m in ('yaml', 'ruamel', 'cryptography', 'typer') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=DOCS.parents[1])
    assert run.stdout.strip() == "[]"
