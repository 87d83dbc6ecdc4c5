"""The client side of HTTP/2, for one request on a connection of its own: what has to be sent, and when.

Frames, settings and windows are the work of `h2`; what the server answers is read by `h2_decode`, as at recording.
"""

from __future__ import annotations

from dataclasses import replace

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, StreamReset
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from protocols.furniture import Limits
from protocols.http import h2_fields, wire
from protocols.http.wire import HttpRequest
from testset.errors import ProtocolError

_WINDOW = 1 << 24  # bytes that the server may send before it is told to go on
_STREAM = 1


class H2Client:
    """Call `start`; then, whenever `wanted()` is not 0, `body` with so much of the request's body; `receive` takes what
    comes. After each of these, `outgoing()` is to be sent. Raises `ProtocolError`."""

    def __init__(self, request: HttpRequest, limits: Limits) -> None:
        self._request = request
        self._left = wire.body_size(request.body)
        self._over = False  # nothing more of the request is to be sent
        self._connection = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._connection.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: limits.head,
            },
        )
        self._connection.decoder.max_header_list_size = limits.head

    def start(self) -> None:
        request = self._request
        if request.complete and wire.header(request.headers, "content-length") is not None:
            request = replace(request, headers=wire.with_length(request.headers, self._left))
        connection = self._connection
        connection.initiate_connection()
        connection.increment_flow_control_window(_WINDOW)
        self._over = request.complete and not self._left and not request.trailers
        connection.send_headers(_STREAM, h2_fields.request_fields(request), end_stream=self._over)
        self._end_if_sent()

    def wanted(self) -> int:
        """How many bytes of the body may be sent now."""
        if self._over or not self._left:
            return 0
        window: int = self._connection.local_flow_control_window(_STREAM)
        return max(0, min(self._left, window))

    def body(self, data: bytes) -> None:
        """The next piece of the body, not more than is wanted; no data: that was all there is."""
        largest = self._connection.max_outbound_frame_size
        for begin in range(0, len(data), largest):
            self._connection.send_data(_STREAM, data[begin : begin + largest])
        self._left = self._left - len(data) if data else 0
        self._end_if_sent()

    def receive(self, data: bytes) -> None:
        connection = self._connection
        try:
            for event in connection.receive_data(data):
                if isinstance(event, DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, StreamReset | ConnectionTerminated):
                    self._over = True
        except H2Error as error:
            self._over = True
            raise ProtocolError(f"HTTP/2: {error}") from error

    def outgoing(self) -> bytes:
        data: bytes = self._connection.data_to_send()
        return data

    def _end_if_sent(self) -> None:
        if self._over or self._left or not self._request.complete:
            return
        self._over = True
        if self._request.trailers:
            fields = h2_fields.trailer_fields(self._request.trailers)
            self._connection.send_headers(_STREAM, fields, end_stream=True)
        else:
            self._connection.end_stream(_STREAM)
