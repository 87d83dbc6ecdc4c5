"""What wrk prints becomes figures, and a run with errors none."""

from __future__ import annotations

import pytest

from bench.load import Figures, LoadError, parse

GOOD = """\
Running 1s test @ http://127.0.0.1:8080/1k
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   168.29us   94.67us   4.01ms   93.10%
    Req/Sec    48.40k     1.20k   50.31k    72.73%
  Latency Distribution
     50%  {middle}
     75%  182.00us
     90%  214.00us
     99%  412.00us
  52955 requests in 1.10s, 63.11MB read
{errors}Requests/sec:  48145.02
Transfer/sec:     57.37MB
"""


@pytest.mark.parametrize(("printed", "milliseconds"), [("155.00us", 0.155), ("1.25ms", 1.25), ("2.00s", 2000.0)])
def test_rate_and_median_are_read(printed: str, milliseconds: float) -> None:
    figures = parse(GOOD.format(middle=printed, errors=""), "URL")
    assert figures == Figures(48145.02, milliseconds)


@pytest.mark.parametrize(
    "errors", ["  Socket errors: connect 0, read 12, write 0, timeout 0\n", "  Non-2xx or 3xx responses: 52955\n"]
)
def test_a_run_with_errors_gives_no_figure(errors: str) -> None:
    with pytest.raises(LoadError, match=errors.strip().split(":")[0]):
        parse(GOOD.format(middle="155.00us", errors=errors), "URL")


def test_an_output_without_figures_is_shown() -> None:
    with pytest.raises(LoadError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused\n", "URL")
