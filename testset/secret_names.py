"""What the name of a value says about it: whether it is a secret, and of which kind.

Names are compared as words, so `db_password`, `dbPassword` and `DB-PASSWORD` are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_plus

_LAST_WORDS = {
    "password": "password", "passwd": "password", "pwd": "password", "passphrase": "password", "passcode": "password",
    "otp": "password", "cvv": "cvv", "cvc": "cvv",
    "secret": "secret", "credential": "secret", "credentials": "secret", "authorization": "credential",
    "token": "token", "jwt": "token", "session": "session", "sessionid": "session", "sessid": "session",
    "sid": "session",
    "cookie": "cookie", "apikey": "api-key",
}  # fmt: skip
_LAST_TWO = {
    "api key": "api-key", "access key": "api-key", "auth key": "api-key", "account key": "api-key",
    "private key": "private-key", "secret key": "secret", "signing key": "secret", "encryption key": "secret",
    "session id": "session", "session key": "session", "password hash": "password", "shared key": "secret",
}  # fmt: skip
_LAST_THREE = {"secret access key": "secret", "access key id": "api-key"}
_TAILS = {  # of names whose words are not told apart
    "password": "password", "passwd": "password", "passwordhash": "password", "clientsecret": "secret",
    "secretkey": "secret", "secretaccesskey": "secret", "apikey": "api-key", "accesskey": "api-key",
    "accesskeyid": "api-key", "privatekey": "private-key", "accesstoken": "token", "refreshtoken": "token",
    "authtoken": "token", "idtoken": "token", "csrftoken": "token", "xsrftoken": "token", "securitytoken": "token",
    "sessiontoken": "token", "sessionid": "session", "phpsessid": "session", "jsessionid": "session",
}  # fmt: skip
_NO_SECRET_TOKENS = frozenset(["next", "page", "continuation", "pagination", "sync", "cursor", "start", "cancellation"])
_PASS = frozenset(["", "db", "user", "admin", "root", "smtp", "mail", "redis", "mysql", "proxy", "auth", "login"])
_NUMERIC = frozenset(["password", "cvv"])  # kinds whose values may be bare numbers
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")
_SUBSCRIPT = re.compile(r"\[([^\[\]]+)\]\Z")

_HEADERS = {
    "authorization": "credential", "proxy-authorization": "credential", "cookie": "cookie", "set-cookie": "cookie",
    "x-api-key": "api-key", "x-goog-api-key": "api-key", "x-functions-key": "api-key",
    "ocp-apim-subscription-key": "api-key", "x-auth-key": "api-key", "x-amz-security-token": "aws-session-token",
    "x-hub-signature": "signature", "x-hub-signature-256": "signature", "x-slack-signature": "signature",
    "stripe-signature": "signature", "x-amz-signature": "signature", "authentication-info": "credential",
}  # fmt: skip
_REMEMBERED = 10_000  # names come from the wire: no end of them is possible


class Names:
    """The names that are known, those of a project, and those that it exempts."""

    def __init__(self, added: Iterable[str] = (), exempt: Iterable[str] = ()) -> None:
        self._added = {joined(name) for name in added}
        self._exempt = {joined(name) for name in exempt}
        self._kinds: dict[str, str | None] = {}  # what `kind` has said

    def kind(self, name: str) -> str | None:
        """What a value of this name is; None if it is no secret."""
        try:
            return self._kinds[name]
        except KeyError:
            kind = self._judge(name)
            if len(self._kinds) < _REMEMBERED:
                self._kinds[name] = kind
            return kind

    def kind_of_number(self, name: str) -> str | None:
        """The same for a value that is a bare number: most of those of such names count or identify."""
        kind = self.kind(name)
        return kind if kind is not None and may_be_number(kind) else None

    def kind_of_header(self, name: str) -> str | None:
        known = _HEADERS.get(name.lower())
        if known is None:
            return self.kind(name)
        return None if joined(name) in self._exempt else known

    def _judge(self, name: str) -> str | None:
        if "%" in name or "+" in name:
            name = unquote_plus(name)
        subscript = _SUBSCRIPT.search(name)  # user[password]
        if subscript:
            name = subscript[1]
        words = [word.lower() for word in _WORDS.findall(name)]
        while words and (words[-1].isdigit() or words[-1] == "bin"):  # token-bin: metadata of gRPC
            words.pop()
        whole = "".join(words)
        if not words or whole in self._exempt:
            return None
        if whole in self._added or joined(name) in self._added:
            return "secret"
        if words[-1] == "token" and len(words) > 1 and words[-2] in _NO_SECRET_TOKENS:
            return None
        if words[-1] == "pass" and "".join(words[-2:-1]) in _PASS:
            return "password"
        return (
            _LAST_THREE.get(" ".join(words[-3:]))
            or _LAST_TWO.get(" ".join(words[-2:]))
            or _LAST_WORDS.get(words[-1])
            or next((kind for tail, kind in _TAILS.items() if words[-1].endswith(tail)), None)
        )


def may_be_number(kind: str) -> bool:
    """Whether a number without quotes is a secret as well, if its name says so."""
    return kind in _NUMERIC or kind == "secret"


def joined(name: str) -> str:
    """`access_token`, `accessToken` and `Access-Token` are one name."""
    return re.sub(r"[\W_]+", "", name).lower()
