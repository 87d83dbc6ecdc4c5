"""One room per wire protocol, all with the same furniture (`furniture.py`). Bytes in, exchanges out; no I/O.

No module here opens a socket or a file, reads a clock or starts a thread. Of the other rooms, only the model and the
errors of `testset` are imported.
"""
