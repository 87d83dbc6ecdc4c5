"""Shows what rr does, on the shop, in about ten lines: `make demo`.

Opens the shop without its order service, records the order service while a customer shops, closes the shop, and
replays: green, with no database, no queue and no other service. Then a bug goes into a copy of the order service: red,
with the reason. Every process that was started is ended, whatever happens; what rr wrote is left in `build/demo`.
A port that somebody else has is replaced by a free one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from sample_app.embedded.processes import Child, ShopError, listens, usable
from sample_app.embedded.shop import DEFAULT, Shop, is_healthy

ROOT = Path(__file__).resolve().parent.parent
RR = Path(sys.executable).with_name("rr")
WORK = ROOT / "build" / "demo"
COMMAND = "python -m sample_app.order_service"
BUGGY = Path("sample_app/order_service/ordering.py")
RELEASES = "            self._release(items)\n"  # when an order is cancelled
PATIENCE = 120.0  # seconds for anything
REASON_LINES = 6


@dataclass(frozen=True, slots=True)
class Demo:
    """Where it works, and with which settings."""

    work: Path
    env: Mapping[str, str]
    shop: Shop = DEFAULT

    @contextmanager
    def running(self, name: str, command: Sequence[str]) -> Iterator[Child]:
        """In the demo's folder, with a log there; ended as Ctrl-C would end it."""
        child = Child.start(name, command, self.env, self.work / f"{name.replace(' ', '_')}.log")
        try:
            yield child
        finally:
            child.process.send_signal(signal.SIGINT)
            deadline = time.monotonic() + PATIENCE / 4
            while child.process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            child.end()

    def run(self, name: str, command: Sequence[str]) -> tuple[int, str]:
        """To its end: its exit code, and what it said."""
        with self.running(name, command) as child:
            code = child.process.wait(PATIENCE)
            assert child.log is not None
            return code, child.log.read_text("utf-8", "replace")


def say(text: str) -> None:
    print(text, flush=True)


def options(shop: Shop, kind: str) -> list[str]:
    """The words by which a shop on these ports is opened ("port"), or found by a customer ("url")."""
    ports = {service.removesuffix("_service"): port for service, port in shop.ports.items()}
    if kind == "url":
        return [word for name, port in ports.items() for word in (f"--{name}-url", f"http://localhost:{port}")]
    ports |= {"mysql": shop.mysql_port, "sqs": shop.queue_port}
    return [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]


def on_usable_ports() -> Shop:
    """The shop on its usual ports, but for those that somebody has."""
    ports = {service: usable(port) for service, port in DEFAULT.ports.items()}
    shop = replace(DEFAULT, ports=ports, mysql_port=usable(DEFAULT.mysql_port), queue_port=usable(DEFAULT.queue_port))
    usual, now = options(DEFAULT, "port")[1::2], options(shop, "port")[1::2]
    for port, instead in zip(usual, now, strict=True):
        if port != instead:
            say(f"Port {port} is taken by another program: {instead} is used instead.")
    return shop


def record(demo: Demo) -> None:
    shop = demo.shop
    gateway, order = shop.ports["gateway_service"], shop.ports["order_service"]
    words = [sys.executable, "-m", "sample_app", "--without", "order_service", *options(shop, "port")]
    with demo.running("the shop", words) as opened:
        opened.wait_until(lambda: is_healthy(gateway))
        say("1. The shop is open but for its order service: users, products, a gateway, MySQL, a queue.")
        with demo.running("rr record", [str(RR), "record", "-c", COMMAND]) as rr:
            rr.wait_until(lambda: is_healthy(order))
            say(f'2. rr record -c "{COMMAND}"')
            words = [sys.executable, "-m", "sample_app.traffic", "--seed", "demo", *options(shop, "url")]
            code, said = demo.run("traffic", words)
            if code:
                raise ShopError(f"The shopping did not go as it should:\n{said}{rr.last_words()}")
            say(f"   A customer shops: {said.splitlines()[-1]}.")
            rr.process.send_signal(signal.SIGINT)
            if rr.process.wait(PATIENCE):
                raise ShopError(f"rr record ended with exit code {rr.process.returncode}.{rr.last_words()}")
    test_set = demo.work / "keploy" / "test-set-0"
    tests = len(list((test_set / "tests").glob("test-*.yml")))
    mocks = test_set.joinpath("mocks.yml").read_text("utf-8").count("\nname: ")
    say(f"   Ctrl-C: {tests} tests and {mocks} mocks, MySQL, HTTP and SQS, in {shown(test_set)}.")
    if listens(gateway) or listens(shop.mysql_port) or listens(shop.queue_port):
        raise ShopError("Something of the shop is still there that should have ended.")
    say("3. The shop is closed: no database, no queue, no other service from here on.")


def expect_green(demo: Demo) -> None:
    began = time.monotonic()
    code, said = demo.run("rr test", [str(RR), "test"])
    if code:
        raise ShopError(f"The unchanged service was to pass, but rr test ended with exit code {code}.\n{said}")
    say(f"4. rr test: exit code 0 in {time.monotonic() - began:.1f} s.  {said.splitlines()[-1]}")


def expect_red(demo: Demo) -> None:
    shutil.copytree(ROOT / "sample_app", demo.work / "sample_app", ignore=shutil.ignore_patterns("__pycache__"))
    path = demo.work / BUGGY
    good = path.read_text("utf-8")
    bad = good.replace(RELEASES, "")
    if good.count(RELEASES) != 1:
        raise ShopError("The order service has changed: the demo no longer knows where to put its bug.")
    path.write_text(bad, "utf-8")
    say("5. A bug goes into a copy: a cancelled order no longer releases its products. The responses stay the same.")
    buggy = replace(demo, env={**demo.env, "PYTHONPATH": str(demo.work)})
    code, said = buggy.run("rr test again", [str(RR), "test"])
    if code != 1:
        raise ShopError(f"The bug was to be found, but rr test ended with exit code {code}.\n{said}")
    lines = said.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("✗") or "FAIL" in line), 0)
    say("6. rr test: exit code 1, with the reason:")
    for line in takewhile(lambda line: not line.lstrip().startswith("curl "), lines[first : first + REASON_LINES]):
        if line.strip():
            say(f"      {line.rstrip()}")


def demonstrate() -> None:
    if not RR.exists():
        raise ShopError(f"There is no rr beside {sys.executable}: run `make setup` first.")
    shop = on_usable_ports()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    env = {
        **os.environ,
        "PATH": f"{RR.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(WORK / "data"),  # the demo leaves no key of its own in the user's folder
        "NO_COLOR": "1",
        **shop.unusual("order_service", "127.0.0.1", shop.mysql_port),
    }
    here = Path.cwd()
    os.chdir(WORK)  # rr works where it is started
    try:
        demo = Demo(WORK, env, shop)
        record(demo)
        expect_green(demo)
        expect_red(demo)
    finally:
        os.chdir(here)
    say(f"The recording and the reports are in {shown(WORK / 'keploy')}. To see the last report again:")
    say(f"      cd {shown(WORK)} && PATH={RR.parent}:$PATH && rr report")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sample_app.demo", description=__doc__.split("\n\n")[0])
    parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        demonstrate()
    except ShopError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    say(f"All as expected, in {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
