"""`rr secrets`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr.options import ConfigFolder, Debug, Folder

sealed = typer.Typer(
    name="secrets", no_args_is_help=True, help="What is secret in the recordings: list, show, exempt, rotate."
)


@sealed.command("list")
def secrets_list(
    path: Folder = None,
    config_path: ConfigFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    debug: Debug = False,
) -> int:
    """Show every secret, where it stands, and whether it can be unsealed here. No value is shown."""
    from rr.secrets import list_secrets

    return list_secrets(path, config_path or Path(), as_json=as_json)


@sealed.command("show")
def secrets_show(
    name: Annotated[str, typer.Argument(help="Its name: jwt-1.", metavar="NAME")],
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Even where this is no terminal.")] = False,
    path: Folder = None,
    config_path: ConfigFolder = None,
    debug: Debug = False,
) -> int:
    """Print a secret's value. It takes the key."""
    from rr.secrets import show

    return show(name, path, config_path or Path(), yes=yes)


@sealed.command("exempt")
def secrets_exempt(
    names: Annotated[
        list[str] | None, typer.Argument(help="Secrets that are none: password-1 cookie-2.", metavar="NAME...")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--name", help="Values of this name are no secrets: session; may be repeated.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--value", help="A value that is no secret, or an expression: '/demo-.*/'; may be repeated."),
    ] = None,
    path: Folder = None,
    config_path: ConfigFolder = None,
    debug: Debug = False,
) -> int:
    """Say that something is no secret: rr.yml says so too, and the documents show the value."""
    from rr.secrets import exempt

    return exempt(names or (), fields or (), values or (), path, config_path or Path())


@sealed.command("rotate")
def secrets_rotate(path: Folder = None, config_path: ConfigFolder = None, debug: Debug = False) -> int:
    """Seal all secrets with a new key."""
    from rr.secrets import rotate

    return rotate(path, config_path or Path())
