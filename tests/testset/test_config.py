"""A test set's config.yml."""

from __future__ import annotations

from pathlib import Path

import pytest

from testset.config import SetConfig, edit_config, read_config, write_config
from testset.errors import DocumentError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    config = SetConfig(
        command="python app.py",
        container="orders",
        app_ports=(8080, 8081),
        hash_seed=0,
        time_zone="Europe/Berlin",
        clock="2025-09-04T11:30:48.753Z",
        pre_script="make db",
        recorded_by="0.1.0",
        template={"order": "A-17", "number": 418, "rate": 0.5},
        extra={"metadata": {"team": "orders"}},
    )
    write_config(tmp_path / "config.yml", config)
    assert read_config(tmp_path / "config.yml", running="0.1.3") == config


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("# nothing\n")
    assert read_config(tmp_path / "config.yml") == SetConfig()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("command: x\napp_ports: 8080\n", r"config.yml:2: `app_ports` must be a list of ports, found 8080"),
        ("app_ports: [0]\n", r"config.yml:1: `app_ports` must be a list of ports, found \[0\]"),
        ("hash_seed: yes\n", r"config.yml:1: `hash_seed` must be a whole number, found 'yes'"),
        ("a: 1\ntemplate: x\n", r"config.yml:2: `template` must be keys and values, found 'x'"),
        ("template:\n  order: [1]\n", r"config.yml:1: `template.order` must be a text or a number, found \[1\]"),
        (
            "template: {order: yes, paid: true}\n",
            r"config.yml:1: `template.paid` must be a text or a number, found True",
        ),
        ("- a\n", r"config.yml: expected keys and values"),
        ("recorded_by: 0.3.0\n", r"config.yml: this test set was recorded by rr 0.3.0; this is rr 0.2.9"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.yml").write_text(content)
    with pytest.raises(DocumentError, match=message):
        read_config(tmp_path / "config.yml", running="0.2.9")


def test_edited_in_place(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("# ours\ncommand: python app.py   # as in production\napp_ports: [8080]\n")
    edit_config(path, {("app_ports",): [8080, 8081], ("template", "order"): "A-1"})
    assert path.read_text() == (
        "# ours\ncommand: python app.py   # as in production\napp_ports: [8080, 8081]\ntemplate:\n  order: A-1\n"
    )
