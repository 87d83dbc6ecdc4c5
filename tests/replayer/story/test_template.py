"""Values taken apart into text and atoms, and laid over each other again."""

from __future__ import annotations

import pytest

from protocols.furniture import Value
from replayer.story.template import Template, fits, template

ID = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1"
ID2 = "9b0885e4-e6e7-4e27-8ffe-97d87791b0b9"


def of(value: str | int | float | bool | None) -> Template:
    return template(Value("body", value))


def test_the_text_around_an_atom_stays() -> None:
    assert of(f"orders/{ID}.pdf") == Template(("orders/", ".pdf"), (ID,))
    assert of("new") == Template(("new",), ())


def test_a_number_is_no_text() -> None:
    assert of(7).shape != of("7").shape
    assert of(7).shape == of(7.0).shape
    assert of(True).shape != of(1).shape
    assert of(None).shape != of("None").shape
    assert of(8372837287123456).atoms == ("8372837287123456",)


def test_a_digest_stands_for_every_byte_of_a_body() -> None:
    assert of("sha256:" + "ab01" * 16).atoms == ()


@pytest.mark.parametrize(
    ("recorded", "now", "pieces"),
    [
        (f"order:{ID}", f"order:{ID2}", (ID2,)),
        (f"order:{ID}", "order:7", ("7",)),
        (f"{ID}/{ID2}", "a/b", ("a", "b")),
        (f"{ID}, {ID2}", "a, b, c", ("a", "b, c")),
        (f"order:{ID}", f"basket:{ID2}", None),
        (f"order:{ID}", "order:", None),
        (f"{ID}/{ID2}!", "a!", None),
        ("new", "new", ()),
        ("new", "old", None),
    ],
)
def test_a_template_is_laid_over_another_text(recorded: str, now: str, pieces: tuple[str, ...] | None) -> None:
    assert of(recorded).align(now) == pieces


@pytest.mark.parametrize(
    ("recorded", "now", "same"),
    [
        (ID, ID2, True),
        (ID, "7", False),
        (ID, ID.replace("-", ""), False),
        ("01J6ZQ4Y7T9V3M5K8N2P6R1S0W", "01J6ZQ4Y7T9V3M5K8N2P6R1S0X", True),
        ("ab01" * 8, "cd23" * 8, True),
        ("ab01" * 8, "cd23" * 16, False),
        ("123456789012", "98765432109876", True),
        ("12345678", "1234567a", True),
        ("sk_live_9aXb2", "anything", True),
        ("sk_live_9aXb2", "two words", False),
        ('{{secret "jwt-1"}}', "two words", True),
    ],
)
def test_a_made_up_value_is_of_the_same_sort_again(recorded: str, now: str, same: bool) -> None:
    assert fits(recorded, now) is same
