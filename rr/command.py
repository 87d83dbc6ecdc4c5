"""The app's command: with its secrets where it is run, without them wherever it is written or shown.

`-c "API_TOKEN=… python app.py"` stands in rr.yml and config.yml as `API_TOKEN={{secret "token-1"}} python app.py`. With
the key one gets the value back. A replay can do without: there the app talks to nobody who would check it.
"""

from __future__ import annotations

from dataclasses import replace

from rr.settings import Settings
from testset import placeholders
from testset.errors import SecretError
from testset.secrets import Vault


def with_command(settings: Settings, vault: Vault) -> Settings:
    """The settings with the command as it is run. Raises `SecretError`."""
    if settings.command is None or not is_stored(settings):
        return settings
    return replace(settings, command=vault.unseal(settings.command))


def is_stored(settings: Settings) -> bool:
    """Whether the command was read from a file: what a person types holds no placeholders."""
    return settings.source is not None and settings.origins.get("command", "").startswith(settings.source.name)


def for_replay(command: str, vault: Vault) -> tuple[str, list[str]]:
    """A stored command as it is run, and the names of the secrets that cannot be unsealed: those stand in for them."""
    missing = []

    def value(name: str) -> str:
        try:
            return vault.value(name)
        except SecretError:
            missing.append(name)
            return name

    return placeholders.replace(command, value), missing
