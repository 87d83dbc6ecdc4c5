"""A project's settings: flags before the environment (`RR_...`) before `rr.yml` before defaults.

Each setting is a field of a frozen dataclass and carries what is said about it; the docs are checked against it, and
`rr config` shows it. Keys may be written `build_delay`, `build-delay` or `buildDelay`. Without an `rr.yml`, Keploy's
`keploy.yml` is read, and what has no meaning here is listed in `Settings.ignored`.

Imports nothing that takes time: every `rr` command passes through here.
"""

# ruff: noqa: RUF009 - `_setting` and `_section` make fields, as `field` does
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from rr import readers
from rr.readers import Read
from testset.errors import SettingsError

if TYPE_CHECKING:
    from testset.secret_rules import Rules

FILE_NAME = "rr.yml"
_NAMES = (FILE_NAME, "rr.yaml", "keploy.yml", "keploy.yaml")
_HEAD = "# The settings of rr for this project; `rr config` shows every setting with its default.\n"


# -- the settings -----------------------------------------------------------------------------------------------


def _setting(default: Any, read: Read, doc: str, *, shown: str | None = None) -> Any:
    metadata = {"read": read, "doc": doc, "shown": shown}
    return (
        field(default_factory=dict, metadata=metadata) if default == {} else field(default=default, metadata=metadata)
    )


def _section(cls: type[Any], **metadata: Any) -> Any:
    return field(default_factory=cls, metadata={"section": cls, **metadata})


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which inbound requests become tests. `path`, `host` and the values of `headers` are regular expressions."""

    path: str | None = None
    host: str | None = None
    port: int | None = None
    methods: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    match_type: str = "or"  # of the conditions: "and", "or"
    filter_policy: str = "include"  # or "exclude"


@dataclass(frozen=True, slots=True)
class Destination:
    """A host, a port or both; None is any."""

    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisePlaces:
    """Places that may differ: a name or path, and regular expressions of values (none: any value)."""

    body: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    header: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalNoise:
    everywhere: NoisePlaces = field(default_factory=NoisePlaces)
    test_sets: Mapping[str, NoisePlaces] = field(default_factory=dict)


def _destination(value: Any) -> Destination:
    if isinstance(value, Mapping):
        read: Destination = readers.members(Destination, {"host": readers.text, "port": readers.port})(value)
        return read
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
        return Destination(port=readers.port(value))
    host, colon, number = readers.text(value).rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):  # no port; or a bare IPv6 address
        host, number = readers.text(value), ""
    try:
        return Destination(host.strip("[]").lower() or None, readers.port(number) if number else None)
    except ValueError as error:
        raise ValueError("a destination: host, host:port or :port") from error


_noise_places = readers.members(
    NoisePlaces, {"body": readers.mapping_of(readers.patterns), "header": readers.mapping_of(readers.patterns)}
)


def _global_noise(value: Any) -> GlobalNoise:
    if not isinstance(value, Mapping):
        raise ValueError("a mapping of global and test-sets")
    unknown = [key for key in value if readers.plain(str(key)) not in ("global", "testsets")]
    if unknown:
        raise ValueError(f"a mapping of global and test-sets (found the key {unknown[0]!r})")
    by_key = {readers.plain(str(key)): item for key, item in value.items()}
    return GlobalNoise(
        everywhere=_noise_places(by_key.get("global") or {}),
        test_sets=readers.mapping_of(_noise_places)(by_key.get("testsets") or {}),
    )


_filter = readers.members(
    Filter,
    {
        "path": readers.pattern,
        "host": readers.pattern,
        "port": readers.port,
        "methods": readers.list_of(lambda value: readers.text(value).upper()),
        "url_methods": readers.list_of(lambda value: readers.text(value).upper()),
        "headers": readers.mapping_of(readers.pattern),
        "match_type": readers.one_of("and", "or"),
        "filter_policy": readers.one_of("include", "exclude"),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    filters: tuple[Filter, ...] = _setting((), readers.list_of(_filter), "Which inbound requests become tests.")
    pass_through: tuple[Destination, ...] = _setting(
        (),
        readers.list_of(_destination),
        "Destinations that are passed on and not recorded: `host`, `host:port`, `:port`.",
    )
    app_ports: tuple[int, ...] = _setting(
        (), readers.list_of(readers.port), "The ports the app listens on; found by itself if empty."
    )
    sync: bool = _setting(
        False, readers.true_or_false, "Lets in one request at a time: every mock then belongs to one test."
    )
    record_timer: float = _setting(
        0.0, readers.duration, "Ends the recording after this long; 0 waits for Ctrl-C.", shown="0s"
    )
    base_path: str | None = _setting(None, readers.optional_text, "Records only what is asked of this URL.")
    dedup: bool = _setting(
        False, readers.true_or_false, "Makes one test of requests that are the same, with answers of the same form."
    )
    learn: bool = _setting(
        True, readers.true_or_false, "Replays a recording at once, to learn what differs although nothing has changed."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSettings:
    __test__ = False  # pytest: this is no test class

    delay: float = _setting(
        5.0, readers.duration, "How long the app may take to open its port: a ceiling, no nap.", shown="5s"
    )
    health_url: str | None = _setting(None, readers.optional_text, "A URL of the app that answers once it is ready.")
    api_timeout: float = _setting(
        5.0,
        readers.duration,
        "How long the app may take to answer one test; twice as long as when it was recorded, if that is more.",
        shown="5s",
    )
    global_noise: GlobalNoise = _setting(
        GlobalNoise(), _global_noise, "Places that may differ: `global` and by test set.", shown="{}"
    )
    outbound: str = _setting(
        "fail", readers.one_of("fail", "report"), "What a missing, extra or changed effect does to a test."
    )
    on_miss: str = _setting(
        "fail",
        readers.one_of("fail", "passthrough", "record"),
        "A request without a mock: `fail` makes it an error, `passthrough` lets it out to the real server, `record` "
        "keeps the answer as well.",
    )
    time_travel: bool = _setting(
        True, readers.true_or_false, "Lets each test run at the moment at which it was recorded, else at today's time."
    )
    test_sets: tuple[str, ...] = _setting((), readers.list_of(readers.text), "The test sets to replay; all if empty.")
    selected_tests: Mapping[str, tuple[str, ...]] = _setting(
        {},
        readers.mapping_of(readers.list_of(readers.text)),
        "The tests to run, by test set; all if empty.",
        shown="{}",
    )
    ignored_tests: Mapping[str, tuple[str, ...]] = _setting(
        {}, readers.mapping_of(readers.list_of(readers.text)), "The tests not to run, by test set.", shown="{}"
    )
    base_path: str | None = _setting(
        None, readers.optional_text, "Sends the tests to this URL, where the app runs already."
    )
    coverage: bool = _setting(
        False, readers.true_or_false, "Measures which lines of a Python app the tests run; reports beside the report."
    )
    coverage_fail_under: float = _setting(
        0.0, readers.percentage, "The least coverage in percent: less makes the run fail. Asks for coverage.", shown="0"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    pre: str | None = _setting(
        None, readers.optional_text, "A command that is run before each test set; RR_TEST_SET names the set."
    )
    post: str | None = _setting(None, readers.optional_text, "A command that is run after each test set.")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    limit: int = _setting(
        128 << 20, readers.size, "Memory for what was captured and is not decoded yet.", shown="128MiB"
    )
    spill: int = _setting(8 << 30, readers.size, "Disk for what does not fit in there, encrypted.", shown="8GiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings:
    record: tuple[str, ...] = _setting(
        (), readers.list_of(readers.text), "Unix sockets that are recorded like TCP, beyond the known ones."
    )
    allow: tuple[str, ...] = _setting(
        (), readers.list_of(readers.text), "Unix sockets of the host that the app may use at replay."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactAdd:
    names: tuple[str, ...] = _setting((), readers.list_of(readers.text), "More names whose values are secrets.")
    patterns: tuple[str, ...] = _setting(
        (),
        readers.list_of(readers.pattern),
        "Regular expressions of more secrets; a group named `secret` narrows one down.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactSettings:
    enabled: bool = _setting(
        True, readers.true_or_false, "Whether secrets are sealed at all; `redact: false` is short for it."
    )
    add: RedactAdd = _section(RedactAdd)
    exempt: tuple[str, ...] = _setting(
        (), readers.list_of(readers.text), "Names and values that are no secrets, or `/expressions/` of values."
    )

    def rules(self) -> Rules:
        from testset.secret_rules import Rules

        return Rules(self.add.names, self.add.patterns, self.exempt, self.enabled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`origins` says of each setting that is no default where it was found; `ignored` lists keys of Keploy's."""

    command: str | None = _setting(None, readers.optional_text, "The command that starts the app.")
    path: Path = _setting(
        Path(), lambda value: Path(readers.text(value)), "The folder that `keploy/` is in.", shown="."
    )
    container_name: tuple[str, ...] = _setting(
        (), readers.names, "The container or compose service that is the app; a list, if several are the app together."
    )
    build_delay: float = _setting(
        30.0, readers.duration, "How long the containers may take to be built and up: a ceiling, no nap.", shown="30s"
    )
    agent_image: str | None = _setting(
        None, readers.optional_text, "The image that rr's agent is built on: it needs Python 3.11 or newer."
    )
    record: RecordSettings = _section(RecordSettings)
    test: TestSettings = _section(TestSettings)
    hooks: HookSettings = _section(HookSettings)
    journal: JournalSettings = _section(JournalSettings)
    sockets: SocketSettings = _section(SocketSettings)
    redact: RedactSettings = _section(RedactSettings, short="enabled")
    source: Path | None = None
    ignored: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


class Known(NamedTuple):
    """What there is to know about one setting."""

    name: str  # test.api_timeout
    default: str  # as it would be written
    env: str  # RR_TEST_API_TIMEOUT
    doc: str
    read: Read


def known_settings() -> Iterator[Known]:
    """Every setting, in the order of the documentation."""
    yield from _known_in(Settings, "")


# -- finding and reading ----------------------------------------------------------------------------------------


def load_settings(
    folder: Path,
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """`flags` by the names of the settings ("test.delay"), None being not given; `file` names the file to read."""
    known = {setting.name: setting for setting in known_settings()}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    ignored: list[str] = []
    source = _find(folder, file)
    if source is not None:
        tree, lines = _read_file(source)
        reading = _File(source, lines, source.name.startswith("keploy."), values, origins, ignored)
        reading.section(Settings, tree, (), "")
        if "path" in values:
            values["path"] = source.parent / values["path"]
    environ = os.environ if environ is None else environ
    for setting in known.values():
        if setting.env in environ:
            values[setting.name] = _value(setting, environ[setting.env], setting.env)
            origins[setting.name] = setting.env
    for name, given in (flags or {}).items():
        if given is not None:
            option = "--" + name.rpartition(".")[2].replace("_", "-")
            values[name] = _value(known[name], given, option)
            origins[name] = option
    settings: Settings = _build(Settings, "", values, source=source, ignored=tuple(ignored), origins=origins)
    return settings


def remember(path: Path, changes: Mapping[str, Any]) -> None:
    """Writes settings ("test.delay") into `rr.yml`; the rest of the file, comments included, stays as it is."""
    from testset.files import reading, write_whole
    from testset.rewrite import edit

    text = _HEAD
    if path.exists():
        with reading(path):
            text = path.read_text("utf-8")
    aliases = _read_file(path)[0] if path.exists() else {}
    places = {_as_written(aliases, name.split(".")): value for name, value in changes.items()}
    edited = edit(text, places, path=path)
    if edited != text or not path.exists():
        write_whole(path, edited.encode())


def _find(folder: Path, file: Path | None) -> Path | None:
    if file is not None:
        if file.is_dir():
            return _find(file, None)
        if not file.is_file():
            raise SettingsError(f"{file} is not there", remedy="Name the settings file, or the folder it is in.")
        return file
    return next((path for name in _NAMES if (path := folder / name).is_file()), None)


def _read_file(path: Path) -> tuple[Any, Mapping[tuple[Any, ...], int]]:
    from testset.errors import DocumentError
    from testset.files import reading
    from testset.text import load_with_lines

    with reading(path):
        data = path.read_bytes()
    try:
        tree, lines = load_with_lines(data, path=path)
    except DocumentError as error:
        raise SettingsError(str(error)) from error
    return ({} if tree is None else tree), lines


@dataclass(frozen=True, slots=True)
class _File:
    """Reading one settings file."""

    path: Path
    lines: Mapping[tuple[Any, ...], int]
    lenient: bool  # Keploy's file: it has settings that rr has not
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def section(self, cls: type[Any], tree: Any, place: tuple[Any, ...], prefix: str) -> None:
        if not isinstance(tree, Mapping):
            self.fail(place, f"`{prefix.rstrip('.') or self.path.name}` must be a mapping of settings, found {tree!r}")
        known = {readers.plain(one.name): one for one in fields(cls) if one.metadata}
        for key, value in tree.items():
            here = (*place, key)
            one = known.get(readers.plain(str(key)))
            if one is None:
                self.unknown(cls, here, prefix)
                continue
            name = prefix + one.name
            if "section" in one.metadata:
                short = one.metadata.get("short")
                if short is not None and isinstance(value, bool):
                    value = {short: value}
                if value is not None:
                    self.section(one.metadata["section"], value, here, name + ".")
            elif value is not None and not (self.lenient and value in ("", 0, [], {})):
                try:
                    self.values[name] = one.metadata["read"](value)
                except ValueError as error:
                    self.fail(here, f"`{name}` must be {error}, found {value!r}")
                self.origins[name] = f"{self.path.name}:{self.line(here)}"

    def unknown(self, cls: type[Any], place: tuple[Any, ...], prefix: str) -> None:
        if self.lenient:
            self.ignored.append(".".join(map(str, place)))
            return
        key = str(place[-1])
        here = [prefix + one.name for one in fields(cls) if one.metadata]
        import difflib

        near = difflib.get_close_matches(prefix + key, here, 1, 0.6)
        elsewhere = [
            setting.name
            for setting in known_settings()
            if readers.plain(setting.name.rpartition(".")[2]) == readers.plain(key)
        ]
        guess = next(iter([*elsewhere, *near]), None)
        hint = f" (did you mean `{guess}`?)" if guess else ""
        self.fail(place, f"there is no setting `{prefix}{key}`{hint}")

    def line(self, place: tuple[Any, ...]) -> int:
        """Of a key, or of the nearest one above it (`redact: false` has none for `enabled`)."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def fail(self, place: tuple[Any, ...], message: str) -> NoReturn:
        raise SettingsError(f"{self.path}:{self.line(place)}: {message}")


def _value(setting: Known, given: Any, source: str) -> Any:
    try:
        return setting.read(given)
    except ValueError as error:
        raise SettingsError(f"{source} must be {error}, found {given!r}", remedy=f"Correct {source}.") from error


def _build(cls: type[Any], prefix: str, values: Mapping[str, Any], **more: Any) -> Any:
    for one in fields(cls):
        name = prefix + one.name
        if "section" in one.metadata:
            more[one.name] = _build(one.metadata["section"], name + ".", values)
        elif name in values:
            more[one.name] = values[name]
    return cls(**more)


def _known_in(cls: type[Any], prefix: str) -> Iterator[Known]:
    for one in fields(cls):
        name = prefix + one.name
        if "section" in one.metadata:
            yield from _known_in(one.metadata["section"], name + ".")
        elif one.metadata:
            shown = one.metadata["shown"] or _shown(one.default)
            env = "RR_" + name.replace(".", "_").upper()
            yield Known(name, shown, env, one.metadata["doc"], one.metadata["read"])


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, tuple):
        return "[]"
    return "" if default is None else str(default)


def _as_written(tree: Any, names: list[str]) -> tuple[str, ...]:
    """The keys of a setting as the file spells them (`buildDelay`), so that none is there twice."""
    place: list[str] = []
    for name in names:
        keys = list(tree) if isinstance(tree, Mapping) else []
        key = next((key for key in keys if readers.plain(str(key)) == readers.plain(name)), name)
        place.append(key)
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tuple(place)
