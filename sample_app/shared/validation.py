"""Reading a request's body and query: what is wrong is collected field by field and told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import request

from sample_app.shared.errors import BadRequest, Unprocessable

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def json_object() -> dict[str, Any]:
    """The body of the request that is being answered."""
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        raise BadRequest("the body must be a JSON object")
    return data


class Fields:
    """The fields of an object, read one after the other. `check()` then raises what was wrong with them."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.wrong: dict[str, str] = {}

    def text(self, name: str, longest: int, *, shortest: int = 1) -> str:
        value = self.data.get(name)
        if value is None:
            self.wrong[name] = "is required"
        elif not isinstance(value, str):
            self.wrong[name] = "must be a text"
        elif not shortest <= len(value.strip()) <= longest:
            self.wrong[name] = f"must have {shortest} to {longest} characters"
        else:
            return value.strip()
        return ""

    def optional_text(self, name: str, longest: int) -> str | None:
        return None if self.data.get(name) is None else self.text(name, longest)

    def email(self, name: str) -> str:
        value = self.text(name, 254)
        if name not in self.wrong and not EMAIL.fullmatch(value):
            self.wrong[name] = "must be an e-mail address"
        return value

    def integer(self, name: str, least: int, most: int) -> int:
        value = self.data.get(name)
        if value is None:
            self.wrong[name] = "is required"
        elif isinstance(value, bool) or not isinstance(value, int):
            self.wrong[name] = "must be a whole number"
        elif not least <= value <= most:
            self.wrong[name] = f"must be between {least} and {most}"
        else:
            return value
        return least

    def flag(self, name: str) -> bool:
        value = self.data.get(name, False)
        if not isinstance(value, bool):
            self.wrong[name] = "must be true or false"
            return False
        return value

    def check(self) -> None:
        if self.wrong:
            raise Unprocessable("the request is not valid", self.wrong)


def query_integer(name: str, default: int, least: int, most: int) -> int:
    """A number of the query string."""
    value = request.args.get(name)
    if value is None:
        return default
    if not value.isdecimal() or not least <= int(value) <= most:
        raise Unprocessable("the request is not valid", {name: f"must be between {least} and {most}"})
    return int(value)
