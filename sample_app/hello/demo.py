"""Shows what rr does, in about ten lines: `make demo`.

Records the order service while the user service runs, stops the user service, replays (green), puts a bug into a copy
of the order service, replays again (red, with the reason). Works in a folder of its own that is removed at the end,
and ends every process that it started, whatever happens.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import traffic  # type: ignore[import-not-found]  # beside this file, which is run as a script

HERE = Path(__file__).resolve().parent
RR = Path(sys.executable).with_name("rr")
COMMAND = "python order_service.py"
START_CEILING = 30.0  # seconds
END_CEILING = 30.0
BUG = ('"item": item}), 201', '"item": item}), 200')


class DemoError(Exception):
    """Something was not as the demo promises. The message is what the reader sees."""


def say(text: str) -> None:
    print(text, flush=True)


def require_free(port: int, option: str) -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if probe.connect_ex((address, port)) == 0:
                raise DemoError(
                    f"Port {port} is taken by another program: stop it, or choose another port with {option}."
                )


def wait_until(ready: Callable[[], bool], what: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_CEILING
    while not ready():
        if process.poll() is not None:
            raise DemoError(f"{what}: the process ended with exit code {process.returncode}.\n{tail(log)}")
        if time.monotonic() > deadline:
            raise DemoError(f"{what}: not in {START_CEILING:.0f} s.\n{tail(log)}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tail(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()[-25:]
    return "\n".join(f"    {line}" for line in lines)


@contextmanager
def running(command: list[str], cwd: Path, env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the demo's own, ended by its id when the block is left."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                break
            process.send_signal(number)
            try:
                process.wait(END_CEILING if number == signal.SIGINT else 5)
            except subprocess.TimeoutExpired:
                continue


def record(work: Path, env: Mapping[str, str], order_port: int, user_port: int) -> None:
    user_log, rr_log = work / "user_service.log", work / "record.log"
    with running(
        [sys.executable, str(HERE / "user_service.py")], work, {**env, "PORT": str(user_port)}, user_log
    ) as user:
        wait_until(lambda: listens(user_port), "The user service did not start", user, user_log)
        say(f"1. The user service runs on http://localhost:{user_port}.")

        with running([str(RR), "record", "-c", COMMAND], work, env, rr_log) as rr:
            wait_until(lambda: listens(order_port), "rr record did not start the order service", rr, rr_log)
            say(f'2. rr record -c "{COMMAND}"')
            wrong = traffic.play(f"http://localhost:{order_port}")
            if wrong:
                raise DemoError(
                    "The order service answers otherwise under rr:\n" + "\n".join(wrong) + "\n" + tail(rr_log)
                )
            rr.send_signal(signal.SIGINT)
            if rr.wait(END_CEILING) != 0:
                raise DemoError(f"rr record ended with exit code {rr.returncode}.\n{tail(rr_log)}")

    test_set = work / "keploy" / "test-set-0"
    tests = len(list((test_set / "tests").glob("test-*.yml")))
    mocks = test_set.joinpath("mocks.yml").read_text("utf-8").count("\nkind: ")
    if tests != len(traffic.ORDERS):
        raise DemoError(f"{len(traffic.ORDERS)} orders were sent, but rr wrote {tests} tests.\n{tail(rr_log)}")
    say(f"   {len(traffic.ORDERS)} orders sent, Ctrl-C: {tests} tests and {mocks} mocks in keploy/test-set-0.")
    if listens(user_port) or listens(order_port):
        raise DemoError("A service is still running that should have ended.")
    say("3. Both services are stopped: from here on there is no user service.")


def replay(work: Path, env: Mapping[str, str]) -> tuple[int, str, float]:
    """Run `rr test`; returns its exit code, what it printed, and the seconds it took."""
    log = work / "test.log"
    started = time.monotonic()
    with running([str(RR), "test"], work, env, log) as rr:
        code = rr.wait(120)
    return code, log.read_text("utf-8", "replace"), time.monotonic() - started


def expect_green(work: Path, env: Mapping[str, str]) -> None:
    code, output, seconds = replay(work, env)
    if code != 0:
        raise DemoError(f"The unchanged service was to pass, but rr test ended with exit code {code}.\n{output}")
    say(f"4. rr test: exit code 0 in {seconds:.1f} s. All {len(traffic.ORDERS)} orders are answered as recorded.")


def expect_red(work: Path, env: Mapping[str, str]) -> None:
    service = work / "order_service.py"
    good = service.read_text("utf-8")
    before, after = BUG
    if good.count(before) != 1:
        raise DemoError("order_service.py has changed: the demo no longer knows where to put its bug.")
    service.write_text(good.replace(before, after), "utf-8")
    say("5. A bug goes in: a new order is answered with 200 instead of 201.")
    code, output, _ = replay(work, env)
    if code != 1:
        raise DemoError(f"The bug was to be found, but rr test ended with exit code {code}.\n{output}")
    lines = output.splitlines()
    reason = [number for number, line in enumerate(lines) if "status" in line and ("201" in line or "200" in line)]
    if len(reason) < 2:
        raise DemoError(f"rr test is red, but does not say why.\n{output}")
    test = next(line for line in reversed(lines[: reason[0]]) if "test-" in line)
    say("6. rr test: exit code 1, with the reason:")
    for line in (test, lines[reason[0]], lines[reason[1]]):
        say(f"      {line.rstrip()}")


def demonstrate(order_port: int, user_port: int) -> None:
    if not RR.exists():
        raise DemoError(f"There is no rr beside {sys.executable}: run `make setup` first.")
    require_free(order_port, "--order-port")
    require_free(user_port, "--user-port")
    work = Path(tempfile.mkdtemp(prefix="rr-demo-"))
    try:
        shutil.copy(HERE / "order_service.py", work)
        env = {
            **os.environ,
            "PATH": f"{RR.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PORT": str(order_port),
            "USER_SERVICE_URL": f"http://localhost:{user_port}",
            "XDG_DATA_HOME": str(work / "data"),  # the demo leaves no key of its own in the user's folder
            "NO_COLOR": "1",
        }
        record(work, env, order_port, user_port)
        expect_green(work, env)
        expect_red(work, env)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say("All as expected: recorded once, replayed without the user service, and the bug was found.")


def main() -> int:
    parser = argparse.ArgumentParser(description="Record the two-service example, replay it, break it, replay it.")
    parser.add_argument("--order-port", type=int, default=5000)
    parser.add_argument("--user-port", type=int, default=5001)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        demonstrate(options.order_port, options.user_port)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
