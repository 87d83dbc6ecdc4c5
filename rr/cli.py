"""The commands of rr and their options. What a command does is in a module of its own, imported when it is called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rr.cli_mocks import mocks
from rr.cli_secrets import sealed
from rr.options import (
    BuildDelay,
    Command,
    ConfigFolder,
    ContainerName,
    Debug,
    Delay,
    Folder,
    OnMiss,
    SomeTests,
    TestRun,
    TestSets,
    TimeTravel,
    names,
    place,
)
from testset.errors import RRError, UsageError

app = typer.Typer(
    name="rr",
    help="Record a backend service's traffic once; replay it as tests, with every dependency mocked.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Older versions of typer raise click's errors, newer ones those of a copy of their own; this is the one in use.
_USAGE_ERROR: Any = typer.BadParameter.__mro__[1]

app.add_typer(mocks)
app.add_typer(sealed)


def run(words: list[str]) -> int:
    """Run one command line; returns the exit code: 0 done, 1 a test failed, 2 rr could not do its work."""
    debug = "--debug" in words
    try:
        result = app(words, standalone_mode=False)
    except RRError as error:
        if debug:
            raise
        _console().error(error)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except typer.Exit as ended:
        return ended.exit_code
    except _USAGE_ERROR as error:
        context = error.ctx
        name = context.command_path.split()[-1] if context is not None else "rr"
        remedy = f"See `rr {name} --help`." if name != "rr" else "See `rr --help`."
        _console().error(UsageError(error.format_message().rstrip("."), remedy=remedy))
        return 2
    except BrokenPipeError:
        return 141
    except Exception as error:
        if debug:
            raise
        _console().error(RRError(f"rr has a bug: {type(error).__name__}: {error}."))
        return 2
    return result if isinstance(result, int) else 0


def _console() -> Any:
    from rr.console import Console

    return Console(out=sys.stderr)


def _version(wanted: bool) -> None:
    if wanted:
        from rr import __version__

        print(f"rr {__version__}")
        raise typer.Exit


@app.callback()
def rr(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Record a backend service's traffic once; replay it as tests, with every dependency mocked."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def record(
    command: Command = None,
    container_name: ContainerName = None,
    build_delay: BuildDelay = None,
    path: Folder = None,
    config_path: ConfigFolder = None,
    test_set: Annotated[
        str | None, typer.Option("--test-set", help="The name of the test set. Default: the next test-set-N.")
    ] = None,
    metadata: Annotated[
        str | None, typer.Option("--metadata", help="As Keploy has it: name=NAME names the test set.")
    ] = None,
    record_timer: Annotated[
        str | None, typer.Option("--record-timer", help="End the recording after this long: 30s, 5m.")
    ] = None,
    app_port: Annotated[
        list[int] | None, typer.Option("--app-port", help="Record only what comes to this port; may be repeated.")
    ] = None,
    sync: Annotated[bool | None, typer.Option("--sync/--no-sync", help="Let in one request at a time.")] = None,
    dedup: Annotated[
        bool | None, typer.Option("--dedup/--no-dedup", help="One test for requests that are the same.")
    ] = None,
    learn: Annotated[
        bool | None,
        typer.Option("--learn/--no-learn", help="Replay the recording at once, to learn what differs by itself."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option("--include", help="Make tests only of requests like this: 'POST /orders', '/api/*', 'port=80'."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Make no tests of requests like this: 'GET /health'.")
    ] = None,
    pass_through: Annotated[
        list[str] | None,
        typer.Option("--pass-through", help="Do not record this destination: host, host:port or :port."),
    ] = None,
    debug: Debug = False,
) -> int:
    """Run the app, and record what it is asked and what it asks, until Ctrl-C."""
    from rr.record import Options, record

    flags = {
        "command": command,
        "path": place(path),
        "container_name": container_name or None,
        "build_delay": build_delay,
        "record.record_timer": record_timer,
        "record.sync": sync,
        "record.learn": learn,
        "record.dedup": dedup,
        "record.app_ports": app_port or None,
        "record.pass_through": pass_through or None,
    }
    return record(
        Options(
            flags=flags,
            config_folder=config_path or Path(),
            test_set=test_set or _name_in(metadata),
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
            debug=debug,
        )
    )


@app.command()
def recover(debug: Debug = False) -> int:
    """Finish the recordings whose rr was killed. `rr record` does so too when it starts."""
    from rr.recover import recover

    return recover(debug)


@app.command("test")
def replay(
    command: Command = None,
    container_name: ContainerName = None,
    build_delay: BuildDelay = None,
    path: Folder = None,
    config_path: ConfigFolder = None,
    test_sets: TestSets = None,
    tests: Annotated[
        str | None,
        typer.Option("--tests", help="The tests to run: test-3,test-7. The tests that they need run as well."),
    ] = None,
    delay: Delay = None,
    health_url: Annotated[
        str | None, typer.Option("--health-url", help="A URL of the app that answers once it is ready.")
    ] = None,
    api_timeout: Annotated[
        str | None,
        typer.Option("--api-timeout", help="How long the app may take to answer one test; twice as recorded, if more."),
    ] = None,
    base_path: Annotated[
        str | None, typer.Option("--base-path", help="Send the tests to this URL, where the app runs already.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Send the tests to this address of the app.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Send the tests to this port of the app.")] = None,
    mocking: Annotated[
        bool, typer.Option("--mocking/--no-mocking", help="Serve the mocks, or let the app reach its dependencies.")
    ] = True,
    on_miss: OnMiss = None,
    outbound: Annotated[
        str | None, typer.Option("--outbound", help="A missing, extra or changed call: fail the test, or report.")
    ] = None,
    time_travel: TimeTravel = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="How many test sets to run side by side.")] = 1,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first test that fails.")] = False,
    with_deps: Annotated[
        bool, typer.Option("--with-deps", help="Start the other services of the Compose project as well.")
    ] = False,
    keep_alive: Annotated[
        bool, typer.Option("--keep-alive", help="Leave the app running after the tests, for a look, until Ctrl-C.")
    ] = False,
    remove_unused_mocks: Annotated[
        bool, typer.Option("--remove-unused-mocks", help="Remove mocks that no test used, if all passed.")
    ] = False,
    coverage: Annotated[
        bool | None, typer.Option("--coverage/--no-coverage", help="Measure which lines of a Python app the tests run.")
    ] = None,
    coverage_fail_under: Annotated[
        str | None,
        typer.Option("--coverage-fail-under", metavar="PERCENT", help="Fail below this coverage; implies --coverage."),
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    debug: Debug = False,
) -> int:
    """Start the app where nothing but its mocks can be reached, send the recorded requests, compare."""
    from rr.test import Options, test

    flags = {
        "command": command,
        "path": place(path),
        "container_name": container_name or None,
        "build_delay": build_delay,
        "test.delay": delay,
        "test.health_url": health_url,
        "test.api_timeout": api_timeout,
        "test.base_path": base_path,
        "test.outbound": outbound,
        "test.time_travel": time_travel,
        "test.on_miss": on_miss,
        "test.test_sets": names(test_sets),
        "test.coverage": coverage,
        "test.coverage_fail_under": coverage_fail_under,
    }
    return test(
        Options(
            flags=flags,
            config_folder=config_path or Path(),
            tests=tuple(names(tests) or ()),
            host=host,
            port=port,
            mocking=mocking,
            jobs=jobs,
            fail_fast=fail_fast,
            with_deps=with_deps,
            keep_alive=keep_alive,
            remove_unused_mocks=remove_unused_mocks,
            junit=junit,
            as_json=as_json,
            debug=debug,
        )
    )


@app.command()
def noise(
    command: Command = None,
    path: Folder = None,
    config_path: ConfigFolder = None,
    test_sets: TestSets = None,
    delay: Delay = None,
    debug: Debug = False,
) -> int:
    """Replay recordings twice, and note in the tests what differs by itself. `rr record` does so when it ends."""
    from rr.noise import Options, noise

    flags = {
        "command": command,
        "path": place(path),
        "test.delay": delay,
        "test.test_sets": names(test_sets),
    }
    return noise(Options(flags=flags, config_folder=config_path or Path(), debug=debug))


@app.command()
def rerecord(
    command: Command = None,
    container_name: ContainerName = None,
    build_delay: BuildDelay = None,
    path: Folder = None,
    config_path: ConfigFolder = None,
    test_sets: TestSets = None,
    delay: Delay = None,
    api_timeout: Annotated[
        str | None, typer.Option("--api-timeout", help="How long the app may take to answer one request.")
    ] = None,
    debug: Debug = False,
) -> int:
    """Send a set's requests again to the app and its real dependencies, and write what has changed into the files.

    Ids, times and names stay where only they are new: the diff shows what changed in meaning.
    """
    from rr.rerecord import Options, rerecord

    flags = {
        "command": command,
        "path": place(path),
        "container_name": container_name or None,
        "build_delay": build_delay,
        "test.delay": delay,
        "test.api_timeout": api_timeout,
        "test.test_sets": names(test_sets),
    }
    return rerecord(Options(flags=flags, config_folder=config_path or Path(), debug=debug))


@app.command()
def templatize(
    path: Folder = None,
    config_path: ConfigFolder = None,
    test_sets: TestSets = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the names into the tests, their values into the set's config.yml.")
    ] = False,
    debug: Debug = False,
) -> int:
    """Propose names ({{order}}) for values that tests pass on, and that rr does not see to be made up: A-417, 418."""
    from rr.templatize import Options, templatize

    flags = {
        "path": place(path),
        "test.test_sets": names(test_sets),
    }
    return templatize(Options(flags=flags, config_folder=config_path or Path(), write=write, debug=debug))


@app.command()
def doctor(debug: Debug = False) -> int:
    """Check what this machine offers, and say how to get what is missing."""
    from rr.doctor import doctor

    return doctor()


@app.command()
def report(
    path: Folder = None,
    config_path: ConfigFolder = None,
    run_name: TestRun = None,
    test: Annotated[str | None, typer.Option("--test", help="Only these tests: test-3,test-7.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Long values whole.")] = False,
    form: Annotated[str, typer.Option("--format", help="text, junit or json.")] = "text",
    debug: Debug = False,
) -> int:
    """Show what the last run found."""
    from rr.report import report

    return report(path, config_path or Path(), run_name, test, full, form)


@app.command()
def normalize(
    path: Folder = None,
    config_path: ConfigFolder = None,
    run_name: TestRun = None,
    tests: SomeTests = None,
    yes: Annotated[
        bool, typer.Option("-y", "--yes", help="Accept changes of status and schema without asking.")
    ] = False,
    debug: Debug = False,
) -> int:
    """Accept what the app answered in a run: write it into the tests."""
    from rr.report import accept

    return accept(path, config_path or Path(), run_name, tests, yes)


@app.command()
def config(config_path: ConfigFolder = None, debug: Debug = False) -> int:
    """Show every setting, its default, and where it was set."""
    from rr.config import config

    return config(config_path or Path())


def _name_in(metadata: str | None) -> str | None:
    for part in (metadata or "").split(","):
        key, _, value = part.partition("=")
        if key.strip() == "name":
            return value.strip() or None
    return None
