"""`python -m bench`: measures every row, prints the ratios, and writes bench/results.json.

Absolute figures depend on the machine and on what else it does. The ratios come from one run, measured in turns: they
are what counts.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path

from bench import rows
from bench.load import LoadError
from bench.row import HEADER, Options, Row
from tests.harness.programs import MissingProgram

RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    modules = sorted(module.name for module in pkgutil.iter_modules(rows.__path__))
    parser = argparse.ArgumentParser(prog="python -m bench", description="What recording costs.")
    parser.add_argument("only", nargs="*", metavar="MODULE", help=f"rows to measure: {', '.join(modules)} (all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one turn")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a floor is not reached")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(modules):
        parser.error(f"no such rows: {', '.join(sorted(unknown))}")

    options = Options(rounds=arguments.rounds, seconds=arguments.seconds)
    results: list[Row] = []
    print(HEADER, flush=True)
    try:
        for name in arguments.only or modules:
            for row in importlib.import_module(f"bench.rows.{name}").measure(options):
                results.append(row)
                print(row.as_line(), flush=True)
    except (LoadError, MissingProgram, AssertionError) as error:
        print(f"The benchmark could not be run: {error}", file=sys.stderr)
        return 2
    RESULTS.write_text(json.dumps([row.as_json() for row in results], indent=2) + "\n", "utf-8")
    missed = [row.name for row in results if row.reaches(row.floor) is False]
    return 1 if missed and arguments.strict else 0


if __name__ == "__main__":
    sys.exit(main())
