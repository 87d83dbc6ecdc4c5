"""`python -m sample_app.order_service`: http://localhost:8080, or the port in PORT."""

from __future__ import annotations

from sample_app.order_service.app import start
from sample_app.shared.serving import log_to_stderr, serve
from sample_app.shared.settings import Listen

if __name__ == "__main__":
    log_to_stderr()
    app, close = start()
    serve(app, Listen.from_environment(8080), close)
