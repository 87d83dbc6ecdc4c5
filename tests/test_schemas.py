"""The schemas that editors use say what the files are."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from testset.text import load

ROOT = Path(__file__).parent.parent
SCHEMAS = ROOT / "docs" / "schema"
RECORDED = sorted((ROOT / "keploy").glob("*/tests/*.yml")) + sorted((ROOT / "keploy").glob("*/mocks.yml"))


def schema(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / name).read_text("utf-8")))


def documents(path: Path) -> list[Any]:
    return [load(part) for part in path.read_text("utf-8").split("\n---\n")]


def test_the_schemas_are_made_by_their_script() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "schemas.py"))["schemas"]()
    assert {path.name: path.read_text("utf-8") for path in SCHEMAS.iterdir()} == made


def test_the_recordings_are_as_their_schema_says() -> None:
    validator = schema("recording.schema.json")
    assert len(RECORDED) > 100
    for path in RECORDED:
        for document in documents(path):
            validator.validate(document)


def test_the_settings_are_as_their_schema_says() -> None:
    schema("rr.schema.json").validate(load((ROOT / "rr.yml").read_text("utf-8")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "api.keploy.io/v1beta1", "kind": "Redis", "name": "a", "spec": {}},
        {"version": "api.keploy.io/v1beta1", "kind": "Http", "name": "a", "spec": {"resp": {"status_code": "200"}}},
        {"version": "api.keploy.io/v1beta1", "kind": "Http", "spec": {}},
    ],
    ids=["kind", "status", "no name"],
)
def test_what_is_wrong_is_found(wrong: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        schema("recording.schema.json").validate(wrong)
