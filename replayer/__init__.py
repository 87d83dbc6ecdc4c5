"""Sends the tests, serves the mocks, compares, explains and reports."""
