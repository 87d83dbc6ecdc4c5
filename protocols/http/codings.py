"""`Content-Encoding`: taking it off to read a body, and putting it on again. Knows nothing of messages."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

from testset.errors import ProtocolError

# A body that grows beyond this when it is decoded stays as it is: 64 KB of gzip can hold 64 MB.
LARGEST = 64 << 20


def _gunzip(data: bytes) -> bytes:
    return _inflate(data, zlib.MAX_WBITS | 16)


def _undeflate(data: bytes) -> bytes:
    try:
        return _inflate(data, zlib.MAX_WBITS)
    except zlib.error:
        return _inflate(data, -zlib.MAX_WBITS)  # without the zlib header, as some servers send it


def _inflate(data: bytes, wbits: int) -> bytes:
    machine = zlib.decompressobj(wbits)
    result = machine.decompress(data, LARGEST)
    if not machine.eof or machine.unused_data:
        raise ProtocolError("not one whole compressed body")
    return result


def _unbrotli(data: bytes) -> bytes:
    import brotli  # late: few bodies need it

    result: bytes = brotli.decompress(data)
    return result


def _unzstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _brotli(data: bytes) -> bytes:
    import brotli

    result: bytes = brotli.compress(data, quality=5)
    return result


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


_CODINGS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (_gunzip, _gzip),
    "x-gzip": (_gunzip, _gzip),
    "deflate": (_undeflate, zlib.compress),
    "br": (_unbrotli, _brotli),
    "zstd": (_unzstd, _zstd),
}


def known(coding: str) -> bool:
    return coding in _CODINGS


def decode(coding: str, data: bytes) -> bytes | None:
    """The body without its coding; None when it is not what the coding says."""
    try:
        result = _CODINGS[coding][0](data)
    except (ProtocolError, zlib.error, ImportError):
        return None
    except Exception as error:  # brotli.error, zstandard.ZstdError: their modules may not even be there
        if type(error).__module__.partition(".")[0] in ("brotli", "_brotli", "zstandard"):
            return None
        raise
    return result if len(result) <= LARGEST else None


def encode(coding: str, data: bytes) -> bytes:
    return _CODINGS[coding][1](data)
