"""A machine whose clock is ahead: for whatever is started with these variables, rr and all that it starts included.

It is rr's own clock once more, under another name, below the one that rr gives to the app.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from intercept.clock_library import build
from tests.harness.programs import program


def later(folder: Path, by: timedelta) -> Mapping[str, str]:
    """The environment in which it is later than it is."""
    library, number = folder / "later.so", folder / "later"
    if not library.exists():
        build(library, [program("gcc")], '-DCLOCK_FILE="LATER_CLOCK"')
    number.write_bytes((int(by.total_seconds()) * 1_000_000_000).to_bytes(8, sys.byteorder, signed=True))
    return {"LD_PRELOAD": str(library), "LATER_CLOCK": str(number)}
