"""A person records each app as it is usually started, and replays it: everything is there, to the byte, and green."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps import traffic
from tests.apps.dependency import Dependency
from tests.harness.network import NamedHost
from tests.harness.recorded import recorded_mocks, recorded_tests
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

COMMANDS = {
    "flask": "python flask_app.py",
    "gunicorn": "gunicorn -w 4 -b 127.0.0.1:{port} flask_app:app",
    "fastapi": "uvicorn --reload --port {port} fastapi_app:app",
    "express": "node express/server.js",
    "a shell that changes its folder": 'sh -c "cd express && exec node server.js"',
}
STEPS = [*traffic.PAGES, *traffic.CALLS]

# Which request of the client makes the app send which request to its dependency.
CAUSES = {
    "GET /users/o-1": "GET /orders/o-1",
    "GET /users/nobody-1": "GET /orders/nobody-1",
    "GET /users/o-2": "GET /orders/o-2/full",
    "GET /stock/o-2": "GET /orders/o-2/full",
    "GET /prices/o-2": "GET /orders/o-2/full",
    "POST /reservations": "POST /orders",
    **{f"GET {step.path.removeprefix('/relay')}": str(step) for step in traffic.CALLS if "/relay/" in step.path},
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_recorded_to_the_byte_and_replayed_green(
    command: str, rr: RR, app_files: Path, dependency: Dependency, stock: NamedHost, port: int
) -> None:
    rr = rr.with_prefix(stock.prefix).with_settings(
        PORT=str(port), USERS_URL=dependency.url, STOCK_URL=dependency.url_as(stock.name)
    )

    with rr.record(command.format(port=port), port=port) as recording:
        answers = [traffic.send(step, port) for step in STEPS]
        recording.interrupt()
        assert recording.wait() == 0, recording.output
    wrong = [line for step, answer in zip(STEPS, answers, strict=True) for line in step.wrong(answer)]
    assert not wrong, "the app answers otherwise under rr:\n" + "\n".join(wrong)

    tests = recorded_tests(rr.keploy / "test-set-0")
    assert [test.line for test in tests] == [str(step) for step in STEPS]
    for step, answer, test in zip(STEPS, answers, tests, strict=True):
        assert test.request_body == (step.send or b""), f"{test.name}, {step}: the request's body"
        assert test.status == answer.status, f"{test.name}, {step}"
        assert test.response_body == answer.body, f"{test.name}, {step}: the response's body"

    mocks = recorded_mocks(rr.keploy / "test-set-0")
    received = dependency.requests
    assert [mock.line for mock in mocks] == [f"{request.method} {request.path}" for request in received]
    by_line = {test.line: test.name for test in tests}
    for mock in mocks:
        assert mock.owner == by_line[CAUSES[mock.line]], f"{mock.name} {mock.line} belongs to {CAUSES[mock.line]}"
        host = stock.name if mock.line.split("/")[1] in ("stock", "prices", "reservations") else "localhost"
        assert (mock.exchange.server.host, mock.exchange.server.port) == (host, dependency.port), mock.name

    dependency.stop()
    replay = rr.test(ceiling=120)
    assert replay.code == 0, replay.output
    assert dependency.requests == received, "a request of the replay has left the namespace"


def test_a_static_binary(rr: RR, static_server: Path, dependency: Dependency, port: int) -> None:
    rr = rr.with_settings(PORT=str(port), USERS_PORT=str(dependency.port))
    with rr.record(str(static_server), port=port) as recording:
        answers = [traffic.send(step, port) for step in traffic.SMALL]
        recording.interrupt()
        assert recording.wait() == 0, recording.output

    tests = recorded_tests(rr.keploy / "test-set-0")
    assert [(test.line, test.response_body) for test in tests] == [
        (str(step), answer.body) for step, answer in zip(traffic.SMALL, answers, strict=True)
    ]
    mocks = recorded_mocks(rr.keploy / "test-set-0")
    assert [mock.line for mock in mocks] == ["GET /users/o-1", "GET /users/o-2", "GET /users/o-3"]

    dependency.stop()
    replay = rr.test(ceiling=120)
    assert replay.code == 0, replay.output


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('price["amount"]', 'price["amount"] + "0"'), "price"),  # a value
        (('"reservation": reservation["id"]}), 201', '"reservation": reservation["id"]}), 200'), "201"),  # a status
        (('"quantity": order["quantity"]}', '"quantity": order["quantity"] + 1}'), "quantity"),  # what it writes
        (("/stock/{order_id}", "/stocks/{order_id}"), "/stocks/"),  # what it asks for
        (("Grüße", "Gruesse"), "Gruesse"),  # text that is no JSON
        (("bytes(range(256))", "bytes(range(255))"), "/binary"),  # bytes
    ],
    ids=["value", "status", "write", "read", "text", "binary"],
)
def test_a_changed_app_is_red_and_says_why(
    change: tuple[str, str], reason: str, rr: RR, app_files: Path, dependency: Dependency, port: int
) -> None:
    rr = rr.with_settings(PORT=str(port), USERS_URL=dependency.url, STOCK_URL=dependency.url)
    with rr.record("python flask_app.py", port=port):
        traffic.play(STEPS, port)
    dependency.stop()

    source = (app_files / "flask_app.py").read_text("utf-8")
    assert source.count(change[0]) == 1, f"the app no longer has {change[0]!r}"
    (app_files / "flask_app.py").write_text(source.replace(*change), "utf-8")
    replay = rr.test(ceiling=120)
    assert replay.code == 1, replay.output
    assert reason in replay.output


def test_a_terminal_s_ctrl_c_ends_the_recording_and_completes_it(
    rr: RR, app_files: Path, dependency: Dependency, port: int
) -> None:
    rr = rr.with_settings(PORT=str(port), USERS_URL=dependency.url)
    with rr.record("python flask_app.py", port=port, terminal=True) as recording:
        traffic.play(traffic.CALLS[:1], port)
        recording.interrupt()
        assert recording.wait() == 0, recording.output
    assert [test.line for test in recorded_tests(rr.keploy / "test-set-0")] == ["GET /orders/o-1"]
    assert "Traceback" not in recording.output


def test_a_second_recording_is_a_second_test_set(rr: RR, app_files: Path, port: int) -> None:
    rr = rr.with_settings(PORT=str(port))
    for _ in range(2):
        with rr.record("python flask_app.py", port=port):
            traffic.play(traffic.PAGES[:1], port)
    assert len(recorded_tests(rr.keploy / "test-set-0")) == len(recorded_tests(rr.keploy / "test-set-1")) == 1
