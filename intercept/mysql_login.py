"""The beginning of a connection to a MySQL server, while somebody logs in.

The bytes go through `protocols.mysql.login`, which says what of them is passed and what is kept. Where the client asks
for TLS, rr stands in its middle from then on; where it does not, the connection is as any other after the login.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intercept.authority import Fault
from intercept.journal import CLIENT
from intercept.middle import Middle
from protocols.mysql import login
from testset.model import Side

if TYPE_CHECKING:
    from intercept.connection import Connection, Leg
    from intercept.opening import Openings

_SIDES = (Side.CLIENT, Side.SERVER)


class MysqlLogin(Middle):
    """One login."""

    def __init__(self, shared: Openings, connection: Connection, target: tuple[str, int]) -> None:
        super().__init__(connection)
        self._shared = shared
        self._target = target
        self._login: login.Login | None = login.Login()

    def arrived(self, leg: Leg, plain: bytes) -> None:
        if self._login is None:
            super().arrived(leg, plain)
            return
        legs = self.connection.legs
        for act in self._login.feed(_SIDES[leg.side], plain):
            if isinstance(act, login.Pass):
                self.pass_on(legs[_SIDES.index(act.side)], act.data)
            elif isinstance(act, login.Keep):
                self.keep(legs[_SIDES.index(act.side)], act.data)
            elif isinstance(act, login.Secure):
                self._begin_tls(act.rest)
            else:
                self._end(act.lost)

    def failed(self, leg: Leg, why: str) -> None:
        if leg.side == CLIENT:  # it checks certificates; what it says next time passes unread
            self._shared.unread.add(self._target)
            why = f"the app does not take rr's certificate ({why}): what it says there passes unread from now on"
        else:
            why = f"there was no TLS with the server ({why})"
        super().failed(leg, why)

    def _begin_tls(self, rest: bytes) -> None:
        connection = self.connection
        up, down = connection.legs
        server = self._shared.as_client("", (), verify=False)
        app = self._shared.as_server("", fault=Fault.UNKNOWN)
        self.ends[:] = [app, server]
        # After the request for TLS, which is on its way to the server.
        connection.turns.sends.append((connection.sender(up), server.outgoing()))
        if rest:
            self.receive(app, up, down, rest)

    def _end(self, lost: str | None) -> None:
        self._login = None
        if lost is not None:
            self.lose(lost)
        if self.ends == [None, None]:
            self.connection.carry()
