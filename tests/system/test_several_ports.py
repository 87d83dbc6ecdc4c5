"""An app that opens several ports, one after the other: recorded as one, and replayed once all of them are open."""

from __future__ import annotations

import re
import textwrap
import urllib.request
from functools import partial

import pytest

from tests.harness.network import free_port, listens
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

APP = """
    import socket, sys, threading, time
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

    def serve(port):
        ThreadingHTTPServer(("127.0.0.1", port), Hello).serve_forever()

    first, *others = map(int, sys.argv[1:])
    threading.Thread(target=serve, args=(first,)).start()
    for port in others:
        for _ in range(8):
            time.sleep(0.05)
            with socket.socket() as sock:
                assert sock.connect_ex(("127.0.0.1", port)) != 0
        threading.Thread(target=serve, args=(port,)).start()
"""


def test_the_tests_begin_when_all_ports_are_open(rr: RR) -> None:
    ports = [free_port(), free_port(), free_port()]
    (rr.folder / "app.py").write_text(textwrap.dedent(APP))
    with rr.record(f"python app.py {' '.join(map(str, ports))}") as recording:
        for port in ports:
            recording.until(partial(listens, port), f"the app listens on {port}")
        for port in ports:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
    assert not (rr.keploy / "test-set-0" / "mocks.yml").exists(), "the app waited for itself: nobody was asked"
    replay = rr.test()
    assert replay.code == 0, replay.output
    assert "3 passed" in replay.output

    config = rr.keploy / "test-set-0" / "config.yml"
    with_ports = config.read_text("utf-8")
    without = re.sub(r"^app_ports: .*\n", "# no ports\n", with_ports, flags=re.MULTILINE)
    assert without != with_ports
    config.write_text(without, "utf-8")
    replay = rr.test()
    assert replay.code == 0, replay.output
    again = rr.run("rerecord")
    assert again.code == 0, again.output
    assert "nothing has changed" in again.output, "the tests know the port as well"

    # one that does not open any more is red, and does not keep the others from their turn
    replay = rr.test("-c", f"python app.py {ports[0]} {ports[1]}", "--delay", "2s")
    assert replay.code == 1, replay.output
    assert "2 passed, 1 failed" in replay.output
    assert "the app cannot be reached" in replay.output
