"""What a client does to the app on SQS: orders one by one and in a batch, notes, and questions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.apps.sqs.queues import Queues
from tests.apps.traffic import JSON, Step, send
from tests.harness.rr_command import RR
from tests.harness.waiting import eventually

APP = Path(__file__).with_name("orders_app.py")
COMMAND = "python orders_app.py"
LINES = (
    "POST /orders", "POST /orders", "POST /orders/batch", "GET /processed", "POST /notes", "GET /notes/next",
    "GET /notes/next", "POST /notes/old", "GET /notes/next", "GET /queue", "GET /pause",
)  # fmt: skip
Ask = Callable[..., Any]


def record(rr: RR, play: Callable[[Ask, Queues], None] | None = None) -> RR:
    """The app, recorded with SQS beside it. Returns rr as it is to be called from then on: SQS is gone."""
    shutil.copy(APP, rr.folder)
    with Queues() as queues:
        rr = rr.with_settings(SQS_URL=queues.url)
        port = int(rr.settings["PORT"])
        with rr.record(COMMAND, port=port) as recording:
            (play or orders_and_notes)(asking(port), queues)
            recording.interrupt()
            assert recording.wait() == 0, recording.output
    return rr


def asking(port: int) -> Ask:
    def ask(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        sent = json.dumps(body).encode() if body is not None else None
        answer = send(Step(method=method, path=path, send=sent, headers=JSON if sent else {}), port)
        assert answer.status == status, f"{method} {path}: {answer}"
        return json.loads(answer.body)

    return ask


def orders_and_notes(ask: Ask, queues: Queues) -> None:
    """Each order is processed before the next request."""

    def order(path: str, what: Any) -> Any:
        answer = ask("POST", path, what, 201)
        eventually(lambda: queues.is_done("orders"), "the worker processes what was ordered")
        return answer

    ids = [order("/orders", {"sku": "A-1", "quantity": 2})["id"], order("/orders", {"sku": "B-7", "quantity": 1})["id"]]
    ids += order("/orders/batch", ["C-1", "C-2", "C-3"])
    assert sorted(one["id"] for one in ask("GET", "/processed")) == sorted(ids)
    ask("POST", "/notes", "remember the milk", 201)
    assert ask("GET", "/notes/next") == {"note": "remember the milk"}
    ask("GET", "/notes/next", status=404)
    ask("POST", "/notes/old", "once upon a time", 201)
    assert ask("GET", "/notes/next")["note"].startswith("once upon a time ")
    assert ask("GET", "/queue")["QueueArn"].endswith(":notes")
    ask("GET", "/pause")
