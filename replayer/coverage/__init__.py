"""Coverage of Python apps while they are tested, without a change to the app or its environment ([coverage.md]).

`kit` is what the app's processes are given, `inside` what runs in each of them, `collect` what becomes of their data,
and `reporting` the process that makes the reports; `measured` is the outcome.
"""
