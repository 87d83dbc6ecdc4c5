"""`rr config`: every setting, what it is, and where it was set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rr.console import Console
from rr.settings import known_settings, load_settings


def config(config_folder: Path) -> int:
    """Show the settings that hold here."""
    settings = load_settings(config_folder)
    console = Console()
    console.headline(str(settings.source) if settings.source is not None else "no rr.yml here: defaults")
    for one in known_settings():
        value: Any = settings
        for part in one.name.split("."):
            value = getattr(value, part)
        origin = settings.origins.get(one.name)
        shown = one.default if origin is None else _plain(value)
        console.note(f"# {one.doc}  ({one.env})")
        console.headline(f"{one.name}: {shown}", f"from {origin}" if origin is not None else "")
    if settings.ignored:
        console.note(f"ignored, without meaning here: {', '.join(settings.ignored)}")
    return 0


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
