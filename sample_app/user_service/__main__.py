"""`python -m sample_app.user_service`: http://localhost:8082, or the port in PORT."""

from __future__ import annotations

from sample_app.shared.serving import log_to_stderr, serve
from sample_app.shared.settings import Listen
from sample_app.user_service.app import start

if __name__ == "__main__":
    log_to_stderr()
    app, store = start()
    serve(app, Listen.from_environment(8082), [store.close])
