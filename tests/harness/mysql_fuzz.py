"""atheris, led by what it covers, feeds MySQL's decoder and responder:
`python -m tests.harness.mysql_fuzz PACKETS MIB CORPUS REPORT`.

A process of its own, because libFuzzer ends the one it runs in, and because this one may not have more than MIB of
memory. It ends well once so many packets were fed that no driver or server has sent so; what it saw is in REPORT.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["protocols.mysql"]):
    from tests.protocols.mysql.conversations import Fed, check, from_bytes, mutated, seeds, to_bytes

LONGEST = 4096  # bytes of a conversation


def main() -> None:
    packets, mib = int(sys.argv[1]), int(sys.argv[2])
    corpus, report = Path(sys.argv[3]), Path(sys.argv[4])
    for number, conversation in enumerate(seeds(longest=8)):
        (corpus / str(number)).write_bytes(to_bytes(conversation))
    fed, began = Fed(), time.monotonic()
    at_first = _peak()

    def one(data: bytes) -> None:
        conversation = from_bytes(data)
        # byte by byte, or in pieces that a packet's head does not fit into, or is larger than
        check(conversation, fed, piece=(1, 3, 5, 64)[len(data) % 4])
        if fed.strange >= packets:
            seen = {**asdict(fed), "seconds": time.monotonic() - began, "first_mib": at_first, "peak_mib": _peak()}
            report.write_text(json.dumps(seen))
            os._exit(0)  # nothing else ends libFuzzer but an error

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        changed = mutated(
            from_bytes(data), Random(seed), lambda part, size: atheris.Mutate(part, size) if size else b""
        )
        return to_bytes(changed)[:most]

    options = [
        "-max_len=" + str(LONGEST),
        "-print_final_stats=0",
        "-verbosity=0",
        "-artifact_prefix=" + str(report.parent) + "/",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutate)
    resource.setrlimit(resource.RLIMIT_DATA, (mib << 20, mib << 20))
    atheris.Fuzz()


def _peak() -> int:
    """MiB that this process has held at most. (getrusage counts what its parent held before.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


if __name__ == "__main__":
    main()
