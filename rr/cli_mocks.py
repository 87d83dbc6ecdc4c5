"""`rr mock`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr.options import ConfigFolder, Debug, Folder, OnMiss, TimeTravel, place

mocks = typer.Typer(name="mock", no_args_is_help=True, help="Mocks without tests: serve, record and replay them.")

Words = Annotated[list[str], typer.Argument(help="The command and its words, after --.", metavar="-- COMMAND")]
MocksName = Annotated[str, typer.Option("--name", help="The name of the set of mocks.")]


@mocks.command("serve")
def mock_serve(
    test_set: Annotated[
        str | None, typer.Argument(help="The test set. Default: the only one that there is.", metavar="TEST_SET")
    ] = None,
    path: Folder = None,
    config_path: ConfigFolder = None,
    port: Annotated[
        list[str] | None,
        typer.Option(
            "--port", metavar="NAME=PORT", help="Serve this destination (users:8000, or users) here; may be repeated."
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    debug: Debug = False,
) -> int:
    """Serve a test set's mocks on ports of this machine.

    They stand in for what they were recorded from, each on its recorded port if that is free, until Ctrl-C.
    """
    from rr.mock import ServeOptions, serve

    return serve(
        ServeOptions(
            flags={"path": place(path)},
            config_folder=config_path or Path(),
            test_set=test_set,
            host=host,
            ports=tuple(port or ()),
            debug=debug,
        )
    )


@mocks.command("record")
def mock_record(
    words: Words,
    name: MocksName = "default",
    path: Folder = None,
    config_path: ConfigFolder = None,
    debug: Debug = False,
) -> int:
    """Keep what any command asks of others: rr mock record -- pytest.

    There are no tests, and what the command listens on stays its own.
    """
    from rr.mock_record import CommandOptions, record

    flags = {"path": place(path)}
    return record(CommandOptions(words=words, name=name, flags=flags, config_folder=config_path or Path(), debug=debug))


@mocks.command("replay")
def mock_replay(
    words: Words,
    name: MocksName = "default",
    on_miss: OnMiss = None,
    time_travel: TimeTravel = None,
    path: Folder = None,
    config_path: ConfigFolder = None,
    debug: Debug = False,
) -> int:
    """Run any command against its mocks: rr mock replay -- pytest.

    It has nothing else to talk to. The exit code is the command's own, or 1 if a request found no mock.
    """
    from rr.mock_record import CommandOptions
    from rr.mock_replay import replay

    flags = {
        "path": place(path),
        "test.on_miss": on_miss,
        "test.time_travel": time_travel,
    }
    return replay(CommandOptions(words=words, name=name, flags=flags, config_folder=config_path or Path(), debug=debug))
