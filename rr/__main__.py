"""Where `rr` begins. Puts rr's own folder first on the path, so that a project's own `protocols.py` is not taken for
rr's,
and turns every error into a sentence with a remedy and an exit code."""

from __future__ import annotations

import os
import re
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if sys.path[:1] != [_ROOT]:
    sys.path.insert(0, _ROOT)

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def arguments(given: list[str]) -> list[str]:
    """Keploy's users write `--containerName`: the same as `--container-name`. What follows `--` is not rr's."""
    found: list[str] = []
    for position, word in enumerate(given):
        if word == "--":
            return found + given[position:]
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            word = _CAMEL.sub("-", name).lower() + equals + value
        found.append(word)
    return found


def main() -> None:
    """The console script."""
    from rr.cli import run

    sys.exit(run(arguments(sys.argv[1:])))


if __name__ == "__main__":
    main()
