"""One direction's header compression (HPACK, RFC 7541), read by somebody who only listens.

What a block means depends on all blocks before it. So whoever wants to go on in the middle of a connection needs the
table of that moment: `Table`, which can be kept as JSON. How large a table may be is for the peers to agree on; here it
is bounded by what memory allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpack import Decoder, HPACKError, OversizedHeaderListError

from protocols.http.h2_fields import Field
from testset.errors import LimitError, ProtocolError

_DEFAULT_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Table:
    """A dynamic table, the newest entry first."""

    size: int = _DEFAULT_SIZE  # that it may have
    entries: tuple[Field, ...] = ()

    def as_json(self) -> dict[str, Any]:
        entries = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in self.entries]
        return {"size": self.size, "entries": entries}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Table:
        entries = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in data["entries"])
        return cls(data["size"], entries)


class Blocks:
    """Reads the header blocks of one side, in their order."""

    __slots__ = ("_decoder", "_largest", "_table")

    def __init__(self, largest: int, table: Table) -> None:
        """`largest`: bytes of a header list, and of the dynamic table."""
        self._largest = largest
        self._decoder = Decoder(max_header_list_size=largest)
        self._decoder.max_allowed_table_size = max(largest, _DEFAULT_SIZE)
        self._decoder.header_table_size = table.size
        for name, value in reversed(table.entries):
            self._decoder.header_table.add(name, value)
        self._table = table

    def read(self, block: bytes) -> list[Field]:
        try:
            return [(field[0], field[1]) for field in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError as error:
            raise LimitError(f"a head of more than {self._largest} bytes") from error
        except HPACKError as error:
            raise ProtocolError(f"HTTP/2 header compression: {error}") from error

    def table(self) -> Table:
        """The table as it is now."""
        table, known = self._decoder.header_table, self._table
        entries = table.dynamic_entries
        # A change puts a new entry in front, or another size: the same first one means that all are the same.
        same = len(entries) == len(known.entries) and (not entries or entries[0] is known.entries[0])
        if not same or table.maxsize != known.size:
            self._table = Table(table.maxsize, tuple(entries))
        return self._table
