"""Draws `docs/picture.svg`: what rr does, in one picture. `python docs/picture.py` writes it anew."""

from __future__ import annotations

from pathlib import Path

WIDTH, HEIGHT = 860, 330
LINE, INK, SOFT, RED = "#4b5563", "#111827", "#eef2ff", "#b91c1c"
FONT = "font-family='ui-sans-serif, Helvetica, Arial, sans-serif'"


def text(x: float, y: float, words: str, *, size: int = 14, color: str = INK, weight: str = "normal") -> str:
    return (
        f"<text x='{x}' y='{y}' {FONT} font-size='{size}' font-weight='{weight}' fill='{color}' "
        f"text-anchor='middle'>{words}</text>"
    )


def box(
    x: float, y: float, width: float, height: float, words: str, *, fill: str = "white", dashed: bool = False
) -> str:
    stroke = " stroke-dasharray='5 4'" if dashed else ""
    frame = f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='8' fill='{fill}' stroke='{LINE}'{stroke}/>"
    return frame + text(x + width / 2, y + height / 2 + 5, words)


def arrow(x1: float, y: float, x2: float) -> str:
    return f"<line x1='{x1}' y1='{y}' x2='{x2}' y2='{y}' stroke='{LINE}' stroke-width='1.5' marker-end='url(#tip)'/>"


def row(y: float, title: str, who: str, others: list[str], *, replay: bool) -> list[str]:
    middle = y + 55
    parts = [
        text(70, y + 12, title, size=15, weight="bold"),
        box(20, y + 30, 100, 50, who),
        arrow(122, middle, 196),
        f"<rect x='200' y='{y + 10}' width='330' height='92' rx='14' fill='{SOFT}' stroke='{LINE}'/>",
        text(232, y + 30, "rr", size=15, weight="bold"),
        box(300, y + 30, 130, 50, "your app"),
        arrow(252, middle, 298),
        arrow(432, middle, 500),
    ]
    if not replay:
        parts.append(arrow(532, middle, 618))
        for number, name in enumerate(others):
            parts.append(box(622, y + 5 + number * 36, 215, 30, name))
        parts.append(text(365, y + 122, "every request in and out, with no change to the app", size=12, color=LINE))
    else:
        parts.append(f"<line x1='546' y1='{y + 10}' x2='546' y2='{y + 102}' stroke='{RED}' stroke-width='3'/>")
        parts.append(text(690, middle - 6, "nothing leaves: the mocks answer,", size=13, color=RED))
        parts.append(text(690, middle + 14, "and say what is missing or new", size=13, color=RED))
        parts.append(text(365, y + 122, "each response and each write is compared", size=12, color=LINE))
    return parts


def picture() -> str:
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}'>",
        "<title>rr record stands between the app and all that it speaks with; rr test replays it alone</title>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        "<defs><marker id='tip' viewBox='0 0 10 10' refX='9' refY='5' markerWidth='7' markerHeight='7' orient='auto'>"
        f"<path d='M0 0 L10 5 L0 10 z' fill='{LINE}'/></marker></defs>",
        *row(20, "rr record", "you", ["MySQL", "HTTP and HTTPS", "SQS, and anything else"], replay=False),
        box(250, 152, 230, 28, "keploy/test-set-0/*.yml", fill="#fef9c3"),
        *row(190, "rr test", "rr", [], replay=True),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("picture.svg").write_text(picture(), "utf-8")
