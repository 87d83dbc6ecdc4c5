"""A Flask app that does its work in every kind of process and thread: `python app.py PORT`, `gunicorn app:app`."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from typing import Any

from flask import Flask
from shop import orders, work  # type: ignore[import-not-found]

app = Flask(__name__)


@app.get("/orders/<int:number>")
def order(number: int) -> tuple[dict[str, int], int]:
    if number > 10:
        return {"error": 1}, 404
    return {"number": number, "total": orders.total(number)}, 200


@app.get("/thread")
def in_thread() -> str:
    thread = threading.Thread(target=work.in_thread)
    thread.start()
    thread.join()
    return "done"


@app.get("/subprocess")
def in_subprocess() -> str:
    command = [sys.executable, "-m", "shop.tool", "one"]
    return subprocess.run(command, cwd=os.path.dirname(__file__), capture_output=True, text=True, check=True).stdout


@app.get("/fork")
def in_fork() -> str:
    child = os.fork()
    if child == 0:
        work.in_fork()
        os._exit(0)
    os.waitpid(child, 0)
    return "done"


@app.get("/process/<how>")
def in_process(how: str) -> str:
    processes: Any = multiprocessing.get_context(how)
    process = processes.Process(target=getattr(work, f"in_{how}_process"))
    process.start()
    process.join()
    return str(process.exitcode)


@app.get("/terminated")
def in_terminated_process() -> str:
    ready = multiprocessing.get_context("fork").Event()
    process = multiprocessing.get_context("fork").Process(target=work.in_terminated_process, args=(ready,))
    process.start()
    ready.wait()
    process.terminate()
    process.join()
    return str(process.exitcode)


@app.get("/never")
def never() -> str:
    return str(orders.never())


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), threaded=False)
