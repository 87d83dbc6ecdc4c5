"""Small stories: what was recorded, what the app does now, and what rr says about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from protocols.furniture import Value
from replayer.story import Effects, Found, Kind, Miss
from tests.replayer.story.telling import Recording, Run

USER = "afdc272e-d748-4108-a701-59802b93ea29"  # given: it is in the inbound request
ORDER = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1"  # made up by the app when it was recorded
FRESH = "9b0885e4-e6e7-4e27-8ffe-97d87791b0b9"  # what the app makes up now
OTHER = "3b0c2a1e-9d0f-4f6e-8f7a-1c2d3e4f5a6b"  # what it should not say


def ordering() -> Recording:
    """POST /orders looks the user up, reserves and tells the warehouse; GET /orders/<id> asks the warehouse."""
    recording = Recording()
    recording.call("startup", "GET http://settings/flags", answer={"beta": False})
    recording.test(
        "POST http://app/orders",
        {"user": USER, "quantity": 2},
        calls=[
            (f"GET http://users/users/{USER}", None, {"exists": True}),
            ("POST http://stock/reserve", {"order": ORDER, "quantity": 2}, {"order": ORDER, "reserved": True}),
            (f"PUT http://warehouse/orders/{ORDER}", {"state": "new"}, {"ok": True}),
        ],
        answer={"id": ORDER, "state": "new"},
    )
    recording.test(
        f"GET http://app/orders/{ORDER}",
        calls=[(f"GET http://warehouse/orders/{ORDER}", None, {"id": ORDER, "state": "new"})],
        answer={"id": ORDER},
    )
    return recording


@dataclass(frozen=True)
class Now:
    """What the app does in test-1, beside an unchanged one."""

    user: str = f"GET http://users/users/{USER}"
    reserve: tuple[str, Any] | None = ("POST http://stock/reserve", {"order": FRESH, "quantity": 2})
    warehouse: tuple[str, Any] | None = (f"PUT http://warehouse/orders/{FRESH}", {"state": "new"})
    more: Sequence[tuple[str, Any]] = ()
    answer: Any = None

    def play(self, run: Run) -> Effects:
        run.call("GET http://settings/flags")
        run.begin("test-1")
        run.call(self.user)
        for call in (self.reserve, self.warehouse, *self.more):
            if call is not None:
                run.call(*call)
        run.answers(self.answer or {"id": FRESH, "state": "new"})
        return run.end()


def test_an_unchanged_app_with_fresh_ids_is_faithful() -> None:
    run = ordering().replay()
    effects = Now().play(run)
    assert effects.findings == ()
    assert effects.warnings == ()


def test_the_recording_itself_is_faithful() -> None:
    run = ordering().replay()
    effects = Now(
        reserve=("POST http://stock/reserve", {"order": ORDER, "quantity": 2}),
        warehouse=(f"PUT http://warehouse/orders/{ORDER}", {"state": "new"}),
        answer={"id": ORDER, "state": "new"},
    ).play(run)
    assert effects.findings == ()


CHANGES: dict[str, tuple[Now, list[Kind], str]] = {
    "a call is left out": (Now(warehouse=None), [Kind.MISSING], "test-1.3, and not made now"),
    "a call is made twice": (
        Now(more=[("POST http://stock/reserve", {"order": FRESH, "quantity": 2})]),
        [Kind.EXTRA],
        "made once more than recorded (test-1.2)",
    ),
    "another number is sent": (
        Now(reserve=("POST http://stock/reserve", {"order": FRESH, "quantity": 3})),
        [Kind.CHANGED],
        "body.quantity: recorded 2, now 3",
    ),
    "a number is sent as a text": (
        Now(reserve=("POST http://stock/reserve", {"order": FRESH, "quantity": "2"})),
        [Kind.CHANGED],
        "body.quantity: recorded 2, now '2'",
    ),
    "a field is left out": (
        Now(reserve=("POST http://stock/reserve", {"order": FRESH})),
        [Kind.CHANGED],
        "body.quantity: recorded 2, now nothing",
    ),
    "a field is new": (
        Now(reserve=("POST http://stock/reserve", {"order": FRESH, "quantity": 2, "gift": True})),
        [Kind.CHANGED],
        "body.gift: recorded nothing, now True",
    ),
    "another host is called": (
        Now(reserve=("POST http://stock2/reserve", {"order": FRESH, "quantity": 2})),
        [Kind.MISSING, Kind.MISSED],
        "host: recorded http://stock:80, now http://stock2:80",
    ),
    "another path is called": (
        Now(reserve=("POST http://stock/reserve-all", {"order": FRESH, "quantity": 2})),
        [Kind.MISSING, Kind.MISSED],
        "path: recorded /reserve, now /reserve-all",
    ),
    "another user is looked up": (
        Now(user=f"GET http://users/users/{OTHER}"),
        [Kind.MISSED],
        f"recorded '{USER}', now '{OTHER}'",
    ),
    "another query string is sent": (
        Now(user=f"GET http://users/users/{USER}?full=1"),
        [Kind.MISSED],
        "query.full: recorded nothing, now '1'",
    ),
    "another record is changed": (
        Now(warehouse=(f"PUT http://warehouse/orders/{OTHER}", {"state": "new"})),
        [Kind.CHANGED],
        f"since test-1.2, body.order), now '{OTHER}'",
    ),
    "the user's id is taken for the fresh one": (
        Now(reserve=("POST http://stock/reserve", {"order": USER, "quantity": 2})),
        [Kind.CHANGED],
        f"'{USER}', which it was given",
    ),
    "something else than a UUID is made up": (
        Now(
            reserve=("POST http://stock/reserve", {"order": "1", "quantity": 2}),
            warehouse=("PUT http://warehouse/orders/1", {"state": "new"}),
            answer={"id": "1", "state": "new"},
        ),
        [Kind.CHANGED, Kind.MISSING, Kind.MISSED, Kind.UNFOLLOWED],
        f"body.order: recorded '{ORDER}', now '1'",
    ),
    "a fresh id is returned but not stored": (
        Now(answer={"id": OTHER, "state": "new"}),
        [Kind.UNFOLLOWED],
        f"body.id: expected '{ORDER}' (made up; in this run it is '{FRESH}', since test-1.2, body.order)",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_app_is_red_with_the_reason(change: str) -> None:
    now, kinds, reason = CHANGES[change]
    effects = now.play(ordering().replay())
    assert [finding.kind for finding in effects.findings] == kinds, [finding.text for finding in effects.findings]
    assert any(reason in finding.text for finding in effects.findings), [finding.text for finding in effects.findings]


def test_answers_carry_the_apps_own_ids() -> None:
    run = ordering().replay().begin("test-1")
    assert run.told("POST http://stock/reserve", {"order": FRESH, "quantity": 2}) == {"order": FRESH, "reserved": True}
    run.begin("test-2")
    assert run.replay.rename_request(f"/orders/{ORDER}?x=1") == f"/orders/{FRESH}?x=1"
    assert run.told(f"GET http://warehouse/orders/{FRESH}") == {"id": FRESH, "state": "new"}


def test_a_read_of_another_record_gets_no_answer() -> None:
    run = ordering().replay().begin("test-1")
    run.told("POST http://stock/reserve", {"order": FRESH, "quantity": 2})
    run.begin("test-2")
    for other in (OTHER, USER, ORDER):  # unknown; given; and the recording's own, which has another name now
        miss = run.call(f"GET http://warehouse/orders/{other}")
        assert isinstance(miss, Miss), other
        assert miss.nearest == "test-2.1"


def test_a_later_mock_never_answers() -> None:
    run = ordering().replay().begin("test-1")
    run.told("POST http://stock/reserve", {"order": FRESH, "quantity": 2})
    miss = run.call(f"GET http://warehouse/orders/{FRESH}")
    assert isinstance(miss, Miss)
    assert miss.nearest == "test-2.1"
    assert "only later, in test-2" in miss.remedy


def test_a_miss_explains_itself() -> None:
    run = ordering().replay().begin("test-1")
    miss = run.call("POST http://stock/release", {"order": FRESH})
    assert isinstance(miss, Miss)
    assert miss.nearest == "test-1.2"
    assert miss.details["nearest_request"] == "POST http://stock/reserve"
    assert miss.details["difference"] == {"place": "path", "recorded": "/reserve", "now": "/release"}
    assert "record the test again" in miss.remedy
    assert "POST http://stock/release" in miss.text


def test_reads_in_another_order_and_in_parallel_are_the_same_story() -> None:
    run = ordering().replay().begin("test-1")
    # The PUT overtakes the POST in which its id was made up when it was recorded.
    assert isinstance(run.call(f"PUT http://warehouse/orders/{FRESH}", {"state": "new"}), Found)
    assert run.told("POST http://stock/reserve", {"order": FRESH, "quantity": 2}) == {"order": FRESH, "reserved": True}
    run.answers({"id": FRESH, "state": "new"})
    assert run.end().findings == ()


def test_a_read_made_more_often_gets_the_last_answer_and_a_warning() -> None:
    recording = Recording()
    recording.test(
        "GET http://app/list",
        calls=[("GET http://stock/7", None, {"left": 2}), ("GET http://stock/7", None, {"left": 1})],
    )
    run = recording.replay().begin()
    assert [run.told("GET http://stock/7")["left"] for _ in range(4)] == [2, 1, 1, 1]
    effects = run.end()
    assert effects.faithful
    assert effects.warnings == (
        "GET http://stock/7: made 2 times more than recorded (N+1?); test-1.2 answered again each time",
    )


def test_start_up_answers_any_number_of_times() -> None:
    run = ordering().replay()
    for _ in range(3):
        assert run.told("GET http://settings/flags") == {"beta": False}
    run.begin("test-2")
    assert run.told("GET http://settings/flags") == {"beta": False}
    assert run.end().warnings == ()


def test_an_earlier_tests_answer_comes_with_a_warning() -> None:
    run = ordering().replay()
    Now().play(run)
    run.begin("test-2")
    assert run.told(f"GET http://users/users/{USER}") == {"exists": True}
    effects = run.end()
    assert effects.faithful
    assert effects.warnings == (
        f"GET http://users/users/{USER}: not recorded in test-2; the latest earlier answer, test-1.1, was given",
    )


def test_an_effect_of_an_earlier_test_is_extra_here() -> None:
    run = ordering().replay()
    Now().play(run)
    run.begin("test-2")
    run.call("POST http://stock/reserve", {"order": FRESH, "quantity": 2})
    assert [finding.kind for finding in run.end().findings] == [Kind.EXTRA]


def test_what_was_outstanding_and_comes_late_is_a_warning() -> None:
    run = ordering().replay()
    effects = Now(warehouse=None).play(run)
    assert [finding.kind for finding in effects.findings] == [Kind.MISSING]
    run.begin("test-2")
    run.call(f"PUT http://warehouse/orders/{FRESH}", {"state": "new"})
    later = run.end()
    assert later.faithful
    assert "test-1.3 came late" in later.warnings[0]


def test_an_effect_of_a_test_that_did_not_run_is_extra_and_not_late() -> None:
    run = ordering().replay().begin("test-2")
    run.call("POST http://stock/reserve", {"order": FRESH, "quantity": 2})
    assert [finding.kind for finding in run.end().findings] == [Kind.EXTRA]


def test_a_write_after_the_response_is_waited_for() -> None:
    recording = Recording()
    recording.test("POST http://app/sign-up", {"mail": "a@b.c"}, after=[("POST http://mail/send", {"to": "a@b.c"})])
    run = recording.replay().begin()
    run.answers(None)
    (due,) = run.replay.outstanding()
    assert (due.mock, due.title) == ("test-1.1", "POST http://mail/send")
    assert due.after_ns > 0
    run.call("POST http://mail/send", {"to": "a@b.c"})
    assert run.replay.outstanding() == ()
    assert run.end().faithful


def test_one_call_with_another_value_is_not_one_missing_and_one_extra() -> None:
    recording = Recording()
    recording.test(
        "POST http://app/both",
        calls=[("POST http://stock/take", {"item": "a"}), ("POST http://stock/take", {"item": "b"})],
    )
    run = recording.replay().begin()
    run.call("POST http://stock/take", {"item": "a"})
    run.call("POST http://stock/take", {"item": "a"})
    (finding,) = run.end().findings
    assert finding.kind is Kind.CHANGED
    assert "body.item: recorded 'b', now 'a'" in finding.text


def test_the_one_that_differs_least_stands_in() -> None:
    recording = Recording()
    first, second = {"item": "a", "count": 1, "to": "x"}, {"item": "b", "count": 2, "to": "y"}
    recording.test("POST http://app/both", calls=[("POST http://s/take", first, 1), ("POST http://s/take", second, 2)])
    run = recording.replay().begin()
    assert run.told("POST http://s/take", {**second, "count": 3}) == 2
    assert run.told("POST http://s/take", first) == 1
    (finding,) = run.end().findings
    assert finding.mock == "test-1.2"
    assert "body.count: recorded 2, now 3" in finding.text


def test_a_change_that_turns_out_to_be_one_too_many() -> None:
    recording = Recording()
    recording.test("POST http://app/one", calls=[("POST http://s/take", {"item": "a"}, 1)])
    run = recording.replay().begin()
    assert run.told("POST http://s/take", {"item": "z"}) == 1  # stands in, so that the app goes on
    assert run.told("POST http://s/take", {"item": "a"}) == 1
    assert [finding.kind for finding in run.end().findings] == [Kind.EXTRA]


def test_two_fresh_ids_must_be_two() -> None:
    recording = Recording()
    recording.test("POST http://app/pair", answer={"left": ORDER, "right": USER})
    run = recording.replay().begin()
    (unfollowed,) = run.answers({"left": FRESH, "right": FRESH}).unfollowed
    assert unfollowed.place == "body.right"
    assert "the same as at test-1's response, body.left" in unfollowed.text


def test_a_name_once_given_holds_for_all_tests() -> None:
    run = ordering().replay()
    Now().play(run)
    run.begin("test-2")
    answer = run.answers({"id": OTHER}, "test-2")
    assert [one.place for one in answer.unfollowed] == ["body.id"]
    assert answer.names == {ORDER: FRESH}
    assert [finding.kind for finding in run.end().findings] == [Kind.UNFOLLOWED]


def test_a_literal_that_looks_made_up_may_be_declared() -> None:
    run = ordering().replay(literals=frozenset({ORDER}))
    effects = Now().play(run)
    assert Kind.CHANGED in {finding.kind for finding in effects.findings}


def test_effects_of_a_queue_group_keep_their_order() -> None:
    recording = Recording()
    recording.test("POST http://app/go", calls=[(f"POST http://queue/{n}", {"n": n}) for n in ("a", "b", "c")])
    run = recording.replay(group=lambda exchange: exchange.server.host).begin()
    for name in ("a", "c", "b"):
        run.call(f"POST http://queue/{name}", {"n": name})
    (finding,) = run.end().findings
    assert finding.kind is Kind.ORDER
    assert "test-1.2 was recorded before test-1.3" in finding.text


def test_without_a_group_effects_have_no_order() -> None:
    recording = Recording()
    recording.test("POST http://app/go", calls=[(f"POST http://queue/{n}", {"n": n}) for n in ("a", "b", "c")])
    run = recording.replay().begin()
    for name in ("c", "a", "b"):
        run.call(f"POST http://queue/{name}", {"n": name})
    assert run.end().faithful


def test_background_answers_any_number_of_times_and_is_never_asserted() -> None:
    recording = Recording()
    recording.call("background", "POST http://poll/next", answer=1)
    recording.test("GET http://app/a")
    recording.call("background", "POST http://poll/next", answer=2)
    run = recording.replay().begin()
    assert [run.told("POST http://poll/next") for _ in range(3)] == [1, 2, 2]
    assert run.end() == Effects()


def test_a_change_at_start_up_is_told_once() -> None:
    recording = Recording()
    recording.call("startup", "POST http://registry/register", {"name": "app"}, answer={"ok": True})
    recording.test("GET http://app/a")
    run = recording.replay()
    run.call("POST http://registry/register", {"name": "app2"})
    assert run.begin().end().faithful, "what start-up did is not this test's fault"
    (finding,) = run.replay.startup().findings
    assert "body.name: recorded 'app', now 'app2'" in finding.text


def test_unused_mocks_are_named() -> None:
    run = ordering().replay()
    Now(warehouse=None).play(run)
    assert run.replay.unused() == ("test-1.3", "test-2.1")


def a_group() -> Recording:
    recording = Recording()
    recording.test("POST http://app/a", {"n": 1})
    recording.test("POST http://app/b", {"n": 2})
    for number in (1, 2):
        recording.call("test-1+test-2", "POST http://log/line", {"n": number})
    return recording


def test_a_group_answers_all_its_tests_and_is_asserted_with_its_last() -> None:
    run = a_group().replay().begin("test-1")
    run.call("POST http://log/line", {"n": 2})
    assert run.replay.outstanding() == (), "the rest may come with the next test of the group"
    assert run.end().faithful
    run.begin("test-2")
    assert [due.mock for due in run.replay.outstanding()] == ["test-1+test-2.1"]
    (finding,) = run.end().findings
    assert (finding.kind, finding.mock) == (Kind.MISSING, "test-1+test-2.1")


TIMES: dict[str, tuple[Callable[[int], Any], Callable[[int], Any], bool]] = {
    "the clock, in seconds": (lambda t: t, lambda t: t, True),
    "the clock, four seconds late": (lambda t: t, lambda t: t + 4, True),
    "the clock, a minute late": (lambda t: t, lambda t: t + 60, False),
    "an hour ahead": (lambda t: t + 3600, lambda t: t + 3600, True),
    "an hour ahead, and now two": (lambda t: t + 3600, lambda t: t + 7200, False),
    "the same time as it was then": (lambda t: t, lambda t: t - 3600, True),
}


@pytest.mark.parametrize("case", TIMES)
def test_times_are_compared_as_offsets_from_the_clock(case: str) -> None:
    then, now, faithful = TIMES[case]
    recording = Recording()
    recording.test("POST http://app/a", calls=[("POST http://log/line", {"at": then(recording.now_ns // 10**9)})])
    run = recording.replay().begin()
    begun = recording.tests[0].exchange.started_ns // 10**9 + 3601  # the replay runs an hour and a second later
    assert begun == run.now_ns // 10**9
    run.call(
        "POST http://log/line",
        {"at": now(begun) if "same" not in case else then(recording.tests[0].exchange.started_ns // 10**9)},
    )
    assert run.end().faithful is faithful


def test_a_secret_that_is_not_kept_matches_whatever_the_app_sends() -> None:
    recording = Recording()
    recording.test(
        "POST http://app/a",
        calls=[
            ('POST http://pay/charge?sig={{redacted%20"signature"}}', {"sum": 5, "key": '{{secret "api-key-1"}}'}, 1)
        ],
    )
    run = recording.replay().begin()
    assert run.told("POST http://pay/charge?sig=abc", {"sum": 5, "key": "hunter2"}) == 1
    assert run.end().faithful
    run = recording.replay().begin()
    run.call("POST http://pay/charge?sig=abc", {"sum": 6, "key": "hunter2"})
    (finding,) = run.end().findings
    assert "body.sum: recorded 5, now 6" in finding.text


def test_a_token_born_in_a_response_is_carried_over() -> None:
    token = '{{secret "jwt-1"}}'
    recording = Recording()
    recording.test("POST http://app/login", {"user": "ann"}, answer={"token": token})
    recording.test("GET http://app/me", headers={"Authorization": f"Bearer {token}"}, answer={"user": "ann"})
    run = recording.replay().begin()
    assert run.answers({"token": "eyJhbGciOiJIUzI1NiJ9.e30.abc"}).unfollowed == ()
    run.begin("test-2")
    assert run.replay.rename_request(f"Bearer {token}") == "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc"


def test_of_two_mocks_that_differ_in_a_secret_the_one_of_this_secret_answers() -> None:
    recording = Recording()
    for number, name in enumerate(("ann", "bob"), 1):
        token = f'{{{{secret "jwt-{number}"}}}}'
        recording.test("GET http://app/me", headers={"Authorization": f"Bearer {token}"}, answer={"user": name})
        recording.call("startup", "POST http://auth/who", {"token": token}, answer=name)
    run = recording.replay()
    for number in (2, 1):
        run.begin(f"test-{number}", headers={"Authorization": f"Bearer token-of-{number}"})
    assert run.told("POST http://auth/who", {"token": "token-of-2"}) == "bob"
    assert run.told("POST http://auth/who", {"token": "token-of-1"}) == "ann"


def test_an_environment_with_another_key_is_no_finding() -> None:
    recording = Recording()
    recording.test("POST http://app/a", calls=[("POST http://pay/charge", {"key": ORDER}, 1)])
    run = recording.replay()
    run.replay.given([Value("environment.PAY_KEY", FRESH)])
    run.begin().call("POST http://pay/charge", {"key": FRESH})
    assert run.end().faithful


def test_all_mocks_are_at_hand_without_tests() -> None:
    run = ordering().replay()
    run.replay.begin_all(run.now_ns)
    assert run.told(f"GET http://warehouse/orders/{ORDER}")["state"] == "new"
    assert [run.told(f"GET http://users/users/{USER}")["exists"] for _ in range(3)] == [True] * 3
    assert isinstance(run.call(f"GET http://users/users/{OTHER}"), Miss)
