"""A recording as data: exchanges, test cases, mocks, and the files that keep them.

This room imports none of the others.
"""
