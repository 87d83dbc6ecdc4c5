"""The options that several commands of rr have, and what a flag becomes as a setting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Command = Annotated[str | None, typer.Option("-c", "--command", help="The command that starts the app.")]
Folder = Annotated[
    Path | None, typer.Option("-p", "--path", help="The folder that keploy/ is in, or will be. Default: here.")
]
ConfigFolder = Annotated[
    Path | None, typer.Option("--config-path", help="The folder that rr.yml is in. Default: here.")
]
ContainerName = Annotated[
    list[str] | None,
    typer.Option(
        "--container-name",
        help="The container, or the Compose service, that is the app. Several together are one app: once for each.",
    ),
]
BuildDelay = Annotated[
    str | None,
    typer.Option("--build-delay", help="How long the containers may take to be built and up: a ceiling, no nap."),
]
TimeTravel = Annotated[
    bool | None,
    typer.Option("--time-travel/--no-time-travel", help="Run it at the moment it was recorded, or at today's time."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Tell what rr does, and show tracebacks.")]
TestSets = Annotated[str | None, typer.Option("-t", "--test-sets", help="The test sets, with commas. Default: all.")]
Delay = Annotated[
    str | None, typer.Option("-d", "--delay", help="How long the app may take to start: a ceiling, no nap.")
]
OnMiss = Annotated[str | None, typer.Option("--on-miss", help="A request without a mock: fail, passthrough or record.")]
TestRun = Annotated[str | None, typer.Option("-r", "--test-run", help="The run. Default: the last.")]
SomeTests = Annotated[str | None, typer.Option("--tests", help="Only these tests: test-3,test-7.")]


def place(path: Path | None) -> str | None:
    """A path as a setting has it."""
    return None if path is None else str(path)


def names(listed: str | None) -> list[str] | None:
    """What was given with commas between."""
    return listed.split(",") if listed else None
