"""The Postman collection that is shipped: the printed one's requests, word for word, in an order that passes."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

POSTMAN = Path(__file__).parent.parent.parent / "sample_app" / "postman"


def requests(name: str) -> list[dict[str, Any]]:
    collection = json.loads((POSTMAN / name).read_text("utf-8"))
    return [item for folder in collection["item"] for item in folder["item"]]


PRINTED = requests("as_printed.postman_collection.json")
SHIPPED = requests("ecommerce.postman_collection.json")


def scripts_of(item: dict[str, Any]) -> list[str]:
    return ["\n".join(event["script"]["exec"]) for event in item.get("event", ()) if event["listen"] == "test"]


def test_every_printed_request_is_there_once_as_it_was_printed() -> None:
    def named(items: list[dict[str, Any]]) -> Counter[str]:
        return Counter(item["name"] + json.dumps(item["request"], sort_keys=True) for item in items)

    assert named(SHIPPED) == named(PRINTED)


def test_every_printed_test_is_there() -> None:
    for printed in PRINTED:
        [shipped] = [
            item for item in SHIPPED if (item["name"], item["request"]) == (printed["name"], printed["request"])
        ]
        assert scripts_of(shipped)[: len(scripts_of(printed))] == scripts_of(printed)


def test_every_request_is_tested() -> None:
    assert [item["name"] for item in SHIPPED if not any("pm.test(" in script for script in scripts_of(item))] == []


def test_each_deviation_is_listed() -> None:
    readme = (POSTMAN / "README.md").read_text("utf-8")
    for printed in PRINTED:
        [shipped] = [
            item for item in SHIPPED if (item["name"], item["request"]) == (printed["name"], printed["request"])
        ]
        if shipped.get("event") != printed.get("event"):
            name = re.sub(r" \((?!via|ship|mouse).*", "", printed["name"]).removesuffix(" (via gateway)")
            is_of_products = "product_base" in printed["request"]["url"]["raw"]
            assert f"{name}" in readme or (is_of_products and "the four of Product Service" in readme), printed["name"]


def test_the_environment_names_all_that_no_request_sets() -> None:
    text = (POSTMAN / "ecommerce.postman_collection.json").read_text("utf-8")
    used = set(re.findall(r"\{\{(\w+)\}\}", text))
    set_by_scripts = set(re.findall(r"environment\.set\('(\w+)'", text))
    environment = json.loads((POSTMAN / "local.postman_environment.json").read_text("utf-8"))
    assert used - set_by_scripts <= {value["key"] for value in environment["values"]}
