"""An app without dependencies that misbehaves where it is told to: DIE=start, DIE=/page, HANG=/page (HANG_FOR=seconds).

python small_app.py     with PORT
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Small(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == os.environ.get("DIE"):
            print("out of memory, good bye", flush=True)
            os._exit(7)
        if self.path == os.environ.get("HANG"):
            time.sleep(float(os.environ.get("HANG_FOR", "60")))
        answer = json.dumps({"page": self.path, "sent": body.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = handle_request

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    if os.environ.get("DIE") == "start":
        sys.exit("cannot reach the database")
    try:
        Server(("127.0.0.1", int(os.environ["PORT"])), Small).serve_forever(0.05)
    except KeyboardInterrupt:
        pass
