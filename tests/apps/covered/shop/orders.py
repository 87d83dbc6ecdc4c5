"""Lines that requests reach, and lines that none reaches."""


def total(number: int) -> int:
    if number % 2:
        return number * 3
    return number * 2


def never() -> str:
    return "never"


def left_out() -> str:  # pragma: no cover
    return "by the project's word"
