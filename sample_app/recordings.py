"""Makes the recordings of the shop that are in `keploy/`: `make recordings`.

Each of the three services in turn is left out of the shop and started by `rr record` instead, while a customer shops.
A test set has the name of its service, and says in its `config.yml` how the service is started; `rr test` in this
folder replays them all.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from sample_app.demo import PATIENCE, ROOT, RR, Demo, say
from sample_app.embedded.processes import ShopError
from sample_app.embedded.shop import DATABASES, DEFAULT, is_healthy


def record(demo: Demo, service: str) -> None:
    gateway = DEFAULT.ports["gateway_service"]
    with demo.running(
        "shop", [sys.executable, "-m", "sample_app", "--mysql", "embedded", "--without", service]
    ) as shop:
        shop.wait_until(lambda: is_healthy(gateway))
        shutil.rmtree(ROOT / "keploy" / service, ignore_errors=True)
        command = [str(RR), "record", "--test-set", service, "-c", f"python -m sample_app.{service}"]
        with demo.running("record", command) as rr:
            rr.wait_until(lambda: is_healthy(DEFAULT.ports[service]))
            code, said = demo.run("traffic", [sys.executable, "-m", "sample_app.traffic", "--seed", "recordings"])
            if code:
                raise ShopError(f"The shopping did not go as it should:\n{said}")
            rr.process.send_signal(signal.SIGINT)
            if rr.process.wait(PATIENCE):
                raise ShopError(f"rr record ended with exit code {rr.process.returncode}.{rr.last_words()}")
    tests = len(list((ROOT / "keploy" / service / "tests").glob("test-*.yml")))
    say(f"keploy/{service}: {tests} tests")


def main() -> int:
    settings = (ROOT / "rr.yml").read_text("utf-8")
    work = Path(tempfile.mkdtemp(prefix="rr-recordings-"))
    path = f"{RR.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        for service in DATABASES:
            record(Demo(work, {**os.environ, "PATH": path, "XDG_DATA_HOME": str(work / "data")}), service)
    except ShopError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        (ROOT / "rr.yml").write_text(settings, "utf-8")  # each set has a command of its own
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
