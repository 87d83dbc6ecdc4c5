"""Which tests must run before another one: those that made up what its request speaks of."""

from __future__ import annotations

from tests.replayer.story.telling import Recording

USER = "afdc272e-d748-4108-a701-59802b93ea29"
ORDER = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1"
INVOICE = "9b0885e4-e6e7-4e27-8ffe-97d87791b0b9"
TOKEN = '{{secret "token-1"}}'


def shop() -> Recording:
    recording = Recording()
    recording.test(f"GET http://app/users/{USER}", answer={"id": USER})  # test-1
    recording.test("POST http://app/orders", {"user": USER}, answer={"id": ORDER})  # test-2
    recording.test("GET http://app/prices", answer=[])  # test-3
    recording.test(f"POST http://app/orders/{ORDER}/invoice", {}, answer={"invoice": INVOICE})  # test-4
    recording.test(f"GET http://app/invoices/{INVOICE}", answer={})  # test-5
    return recording


def test_what_a_request_speaks_of_and_what_that_needs() -> None:
    story = shop().story()
    assert story.needed(["test-5"]) == {"test-2", "test-4"}
    assert story.needed(["test-4"]) == {"test-2"}


def test_what_was_given_needs_nobody() -> None:
    story = shop().story()
    assert story.needed(["test-1"]) == set()
    assert story.needed(["test-2"]) == set(), "the user was named by the client, not made up in test-1"


def test_the_chosen_are_no_set_up() -> None:
    assert shop().story().needed(["test-4", "test-5"]) == {"test-2"}


def test_a_value_that_a_call_was_the_first_to_say() -> None:
    """The id goes to a dependency before it is in the response, or it is never in there."""
    recording = Recording()
    recording.test("POST http://app/orders", {}, calls=[("POST http://stock/reserve", {"order": ORDER}, {})], answer={})
    recording.test(f"GET http://app/orders/{ORDER}", answer={})
    assert recording.story().needed(["test-2"]) == {"test-1"}


def test_a_token_that_a_login_gave_out() -> None:
    recording = Recording()
    recording.test("POST http://app/login", {"user": "zoe"}, answer={"token": TOKEN})
    recording.test("GET http://app/me", headers={"Authorization": f"Bearer {TOKEN}"}, answer={})
    assert recording.story().needed(["test-2"]) == {"test-1"}


def test_a_key_that_the_client_brought_along() -> None:
    recording = Recording()
    for page in ("a", "b"):
        recording.test(f"GET http://app/{page}", headers={"Authorization": f"Bearer {TOKEN}"}, answer={})
    assert recording.story().needed(["test-2"]) == set()
