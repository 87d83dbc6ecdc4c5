"""Runs a Flask app until Ctrl-C or SIGTERM, and then closes what it holds."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Sequence

from flask import Flask
from werkzeug.serving import make_server

from sample_app.shared.settings import Listen


def serve(app: Flask, listen: Listen, close: Sequence[Callable[[], None]] = ()) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server = make_server(listen.host, listen.port, app, threaded=True)
        logging.getLogger("sample_app").info("%s listens on http://%s:%d", app.name, listen.host, listen.port)
        with server:
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        for closing in close:
            closing()


def log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("mysql.connector").setLevel(logging.WARNING)
