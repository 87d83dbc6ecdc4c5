"""Which document of a new recording is which of the old one, also where a value does not look made up by chance."""

from __future__ import annotations

from replayer.merging.alignment import align, follow
from replayer.merging.sameness import Sameness
from testset.model import Document

TOKENS = "Zk3vP9qLx8Tn2RwYb7Hc", "mN4jQ8sVd1Xz6KuWe5Gt", "pB7fR2yLh9Sc3MvJa8Dk"
WORDS = "andthereforesheisthere"  # random as well, it just does not look like that


def asked(*tokens: str, path: str = "cart") -> list[Document]:
    """The same page, each time by somebody else."""
    return [
        Document(
            kind="Http",
            name=f"test-{at + 1}",
            spec={"req": {"method": "GET", "url": f"http://shop/{path}", "header": {"X-Csrf": token}}},
        )
        for at, token in enumerate(tokens)
    ]


def test_a_token_that_does_not_look_like_one_turns_nothing_round() -> None:
    old, new = asked(WORDS, TOKENS[0]), asked(*TOKENS[1:])
    assert follow(old, new) == [(0, 0), (1, 1)]
    assert align(old, new, Sameness()) == [(0, 0), (1, 1)]


def test_a_test_that_was_not_answered_is_left_out() -> None:
    sent = [*asked("a"), *asked("a", path="orders"), *asked("a", path="users")]
    assert follow(sent, [sent[0], sent[2]]) == [(0, 0), (2, 1)]


def test_a_health_check_between_them_is_no_test() -> None:
    health, cart = asked("a", path="health"), asked("a")
    assert follow(cart, [*health, *health, *cart]) == [(0, 2)]


def test_an_id_in_an_address_that_does_not_look_like_one() -> None:
    old, new = asked("a", path=f"orders/{TOKENS[0]}"), asked("a", path=f"orders/{WORDS}")
    assert follow(old, new) == [(0, 0)]
