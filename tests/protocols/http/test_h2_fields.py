"""Fields of HTTP/2 as the rest of the house has them."""

from __future__ import annotations

import pytest

from protocols.http.h2_fields import trailers
from testset.errors import ProtocolError


def test_metadata_of_grpc_that_comes_as_it_is_is_what_it_is_in_base64() -> None:
    fields = [(b"token-bin", b"\0\xff\r\nabc"), (b"note-bin", b"/w0KYWJj")]
    assert trailers(fields) == (("token-bin", "/w0KYWJj"), ("note-bin", "/w0KYWJj"))


@pytest.mark.parametrize("field", [(b"token", b"\0abc"), (b"token-bin", b"abc\r\n")])
def test_other_values_hold_no_line_breaks(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(ProtocolError, match="line break"):
        trailers([field])
