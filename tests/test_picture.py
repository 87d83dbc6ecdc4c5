"""The README's picture is the one that its script draws."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_picture_is_drawn_by_its_script() -> None:
    drawn = runpy.run_path(str(DOCS / "picture.py"))["picture"]()
    assert (DOCS / "picture.svg").read_text("utf-8") == drawn
