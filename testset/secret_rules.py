"""Where secrets are in a text: by name (`"password": "..."`, `token=...`), by place (a header, a URL's user part)
and by shape (a JWT, a cloud key). Only finds; what becomes of a secret is said in `redaction`.

A text is looked at closely only
if a cheap test (`may_hold`) says that it is worth it: most texts hold none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from testset.errors import SettingsError
from testset.inner_texts import inner_texts
from testset.secret_names import Names, may_be_number


class Found(NamedTuple):
    """A secret in a text: `text[start:end]`, and what it is ("jwt", "password"): its placeholder is named so."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the project's settings add and exempt. `exempt`: names, values, or `/regular expressions/` of values."""

    names: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    enabled: bool = True


_IN_PATHS = frozenset(["reset", "password-reset", "reset-password", "magic-link"])  # what follows is a token

# -- shapes -----------------------------------------------------------------------------------------------------

_JWT = (  # signed: three parts, of which the middle one may be missing; encrypted: five
    r"\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{0,4096}\.[A-Za-z0-9_-]{0,2048}"
    r"(?:\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{8,128})?"
)
_GOOGLE = r"\b(?:AIza[0-9A-Za-z_-]{30,64}|ya29\.[0-9A-Za-z_-]{20,1024}|GOCSPX-[0-9A-Za-z_-]{20,64})"
_SHAPES: tuple[tuple[str, tuple[str, ...], str], ...] = (  # kind, what it cannot be without, pattern
    ("jwt", ("eyJ",), _JWT),
    (
        "private-key",
        ("PRIVATE KEY",),
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----[\s\S]{1,8000}?"
        r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----",
    ),
    ("aws-key", ("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    (
        "github-token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})",
    ),
    ("gitlab-token", ("glpat-",), r"\bglpat-[A-Za-z0-9_-]{20,255}"),
    ("slack-token", ("xox", "xapp-"), r"\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,255}"),
    ("slack-webhook", ("hooks.slack.com/",), r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,100}"),
    ("telegram-token", (":AA",), r"(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{32,34}"),
    (
        "stripe-key",
        ("k_live_", "k_test_", "whsec_"),
        r"\b(?:[sr]k_(?:live|test)_[A-Za-z0-9]{10,255}|whsec_[A-Za-z0-9+/=]{16,255})",
    ),
    ("google-key", ("AIza", "ya29.", "GOCSPX-"), _GOOGLE),
    ("sendgrid-key", ("SG.",), r"\bSG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}"),
    ("npm-token", ("npm_",), r"\bnpm_[A-Za-z0-9]{30,64}"),
    ("pypi-token", ("pypi-",), r"\bpypi-[A-Za-z0-9_-]{50,255}"),
    (
        "api-key",  # of OpenAI and those who write theirs alike, Hugging Face, DigitalOcean, Shopify, Square, Twilio
        ("sk-", "hf_", "_v1_", "shpat_", "sq0", "SK"),
        r"\b(?:sk-(?:[a-z]{2,12}\d{0,2}-){0,3}[A-Za-z0-9_-]{20,255}|hf_[A-Za-z0-9]{30,64}|do[opr]_v1_[a-f0-9]{64}"
        r"|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,64}|SK[0-9a-f]{32})\b",
    ),
    (
        "password-hash",
        ("$2a$", "$2b$", "$2y$", "$argon2", "$5$", "$6$", "pbkdf2", "scrypt"),
        r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}|\$argon2(?:id|i|d)\$[A-Za-z0-9+/=,$]{20,255}"
        r"|\$[56]\$(?:rounds=\d{1,9}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43,86}"
        r"|\b(?:pbkdf2[:_]sha\d{1,3}(?:\$|:)|scrypt:)\d[\d:]{0,30}\$[./A-Za-z0-9]{4,64}\$[A-Za-z0-9+/=]{20,255}",
    ),
)

# -- names with values, in a text of any kind -------------------------------------------------------------------

_VALUE = 8192  # characters of the longest value that is found: what a reader in pieces must keep in view
_JSON = re.compile(
    r'"(?P<name>[\w.\- ]{1,64})"\s{0,32}:\s{0,32}'
    rf'(?:"(?P<value>(?:[^"\\]|\\.){{1,{_VALUE}}})"|(?P<number>-?\d[\d.eE+\-]{{0,32}}))',
    re.S,
)
_JSON_LIST = re.compile(  # {"password": ["x"]}: a form or headers, shown as JSON
    r'"(?P<name>[\w.\- ]{1,64})"\s{0,32}:\s{0,32}\[(?P<values>(?:\s{0,64}"(?:[^"\\]|\\.){0,1000}",?){1,8})\s{0,64}\]'
)
_TEXTS = re.compile(rf'"(?P<value>(?:[^"\\]|\\.){{1,{_VALUE}}})"')
_JSON_IN_JSON = re.compile(
    r'(?P<level>\\+)"(?P<name>[\w.\- ]{1,64})(?P=level)"\s{0,32}:\s{0,32}'
    rf'(?:(?P=level)"(?P<value>.{{1,{_VALUE}}}?)(?<!\\)(?P=level)"|(?P<number>-?\d[\d.]{{0,32}}))',
    re.S,
)
_FORM = re.compile(
    rf"(?:\A|(?<=[?&;\s,\x00-\x1f]))(?P<name>[\w.%+\-\[\]]{{1,100}})=(?P<value>[^&;\s\"'<>]{{1,{_VALUE}}})"
)
_NUMBERED = re.compile(  # Attribute.1.Name=token&Attribute.1.Value.StringValue=x
    r"(?P<prefix>[\w.]{1,100}\.\d{1,4})\.(?:Name|Key)=(?P<name>[^&;\s]{1,100})(?:&[^&\s]{0,200}){0,4}?"
    rf"&(?P=prefix)\.(?:Value|Value\.StringValue|Value\.BinaryValue)=(?P<value>[^&\s]{{1,{_VALUE}}})"
)
_TYPED = re.compile(  # {"token": {"DataType": "String", "StringValue": "x"}}, {"token": {"S": "x"}}
    r'"(?P<name>[\w.\-]{1,64})"\s{0,32}:\s{0,32}\{[^{}]{0,400}?'
    rf'"(?:[sS]tringValue|[bB]inaryValue|[vV]alue|S|N|B)"\s{{0,32}}:\s{{0,32}}"(?P<value>(?:[^"\\]|\\.){{1,{_VALUE}}})"',
    re.S,
)
_LOGIN = re.compile(  # a line of Redis, SMTP, POP3, FTP; of Redis as an array as well
    rf"^(?:AUTH|auth)[ ](?:(?!PLAIN\r|LOGIN\r)\S{{1,200}}[ ])?(?P<value>(?!PLAIN\r|LOGIN\r|CRAM-)\S{{1,{_VALUE}}})\r\n"
    rf"|^(?:PASS|pass)[ ](?P<line>[^\r\n]{{1,{_VALUE}}})\r\n"
    r"|^(?:AUTH|auth)\r\n(?:\$\d{1,6}\r\n[^\r\n]{0,200}\r\n(?=\$))?"
    rf"\$\d{{1,6}}\r\n(?P<item>[^\r\n]{{1,{_VALUE}}})\r\n",
    re.M,
)
_QUOTED = re.compile(
    rf"\b(?P<name>[\w.\-]{{1,64}})['`\"]?\s{{0,8}}[=:]\s{{0,8}}'(?P<value>(?:[^'\\]|\\.|''){{1,{_VALUE}}})'", re.S
)
_XML = re.compile(
    rf"<(?P<name>[\w.\-:]{{1,64}})(?:\s[^<>]{{0,200}})?>(?:<!\[CDATA\[)?(?P<value>[^<>]{{1,{_VALUE}}}?)(?:\]\]>)?</(?P=name)>"
)
_ATTRIBUTE = re.compile(rf"(?<![\w.\-])(?P<name>[\w.\-:]{{1,64}})\s?=\s?\"(?P<value>[^\"<>]{{1,{_VALUE}}})\"")
_INPUT = re.compile(  # of an HTML form
    rf"<input\b[^<>]{{0,300}}?\bname=[\"'](?P<name>[\w.\-\[\]]{{1,64}})[\"'][^<>]{{0,300}}?\bvalue=[\"'](?P<value>[^\"'<>]{{1,{_VALUE}}})"
)
_PART = re.compile(  # of a multipart body
    r'name="(?P<name>[^"\r\n]{1,100})"[^\r\n]{0,200}\r?\n(?:[^\r\n]{1,200}\r?\n){0,8}\r?\n'
    rf"(?P<value>.{{1,{_VALUE}}}?)(?=\r?\n--)",
    re.S,
)
_REFUSED = re.compile(  # what MySQL says of a value: the key's name, or the column's, says what it is
    rf"(?:Duplicate entry '(?P<value>.{{1,{_VALUE}}}?)' for key"
    rf"|[Ii]ncorrect [^'\r\n]{{1,40}} value: '(?P<wrong>.{{1,{_VALUE}}}?)' for column)"
    r" ['`](?:[^'\r\n]{0,200}[.`])?(?P<name>[\w\-]{1,64})['`]",
    re.S,
)
_HEADER_LINE = re.compile(
    rf"^[ \t]{{0,32}}(?:- )?(?P<name>[A-Za-z0-9_.\-]{{3,64}}):[ \t]*(?P<value>[^\r\n]{{1,{_VALUE}}}?)[ \t]*\r?$", re.M
)
_DSN = re.compile(r"(?<![\w:/])[\w.\-]{1,64}:(?P<value>[^\s:@/\"'<>]{1,1000})@(?:tcp|unix)\(")  # Go's
_USER = re.compile(r"://[^/\s:@\"'<>]{0,200}:(?P<value>[^/\s@\"'<>]{1,1000})@")
_BEARER = re.compile(rf"\b[Bb]earer\s+(?P<value>[A-Za-z0-9._~+/\-]{{8,{_VALUE}}}={{0,2}})")
_IN_PATH = re.compile(r"/(?P<name>[A-Za-z][\w\-]{2,40})/(?P<value>(?=[^/?#\s]*\d)[\w\-.~%]{16,512})(?=[/?#\s\"'<>]|\Z)")
_SIGV4 = re.compile(r"\b(?:X-Amz-)?Signature=(?P<value>[0-9a-f]{64})")
_SIGV4_KEY = re.compile(r"\bCredential=(?P<value>[^/,\s]{1,200})")
_SCOPE = "/aws4_request"  # ends a SigV4 credential, of which only the key at its start is a secret
_SIGNED = re.compile(
    r"[?&](?:sig|signature|hmac)=(?P<value>[^&\s\"'<>#]{16,1000})", re.I
)  # an address that opens a door
_SCHEME = re.compile(r"[A-Za-z][\w\-]*\s+(?=\S)")
_COOKIE = re.compile(r"(?:\A|(?<=[;,]))\s*[^=;,\s]+=\"?(?P<value>[^;\"]+)")

# -- on a command line ------------------------------------------------------------------------------------------

_WORD = r"(?:\"(?P<double>[^\"]{1,4096})\"|'(?P<single>[^']{1,4096})'|(?P<bare>[^\s\"';&|<>()]{1,4096}))"
_ASSIGNED = re.compile(rf"(?<![\w\-])-{{0,2}}(?P<name>[A-Za-z_][\w.\-]{{0,63}})={_WORD}")
_OPTION = re.compile(rf"(?<!\S)--?(?P<name>[A-Za-z][\w.\-]{{0,63}})[ \t]+(?!-){_WORD}")
_QUOTED_HEADER = re.compile(r"[\"'](?P<name>[A-Za-z][A-Za-z0-9\-]{2,63}):\s*(?P<value>[^\"']{1,4096})[\"']")
_NO_LITERAL = re.compile(r"[$`~@]|\.{0,2}/")  # what begins so is a variable or a file: it only leads to a secret
_PLAIN_WORD = re.compile(r"[a-z]+\Z|[A-Z]+\Z|\d+\Z")

# A text without any of these holds no name that this page knows.
_STEMS = (
    "pass", "pwd", "secret", "token", "jwt", "key", "sess", "sid", "credential", "authorization", "bearer", "signature",
    "cookie", "otp", "cvv", "cvc", "://", "@tcp(", "@unix(", "sig=", "hmac=", "reset", "identified",
    "_encrypt", "_decrypt", "auth ", "auth\r",
)  # fmt: skip
_HARMLESS = re.compile(
    r"(?:null|none|true|false|undefined|\?|\*+|\$\d+|%s|:\w+|\{\{(?:secret|redacted) \"[^\"]*\"\}\})\Z", re.I
)
_DEPTH = 4  # of texts within texts
LONGEST = 2 * _VALUE  # no find is longer than this


class Finder:
    """The rules, ready for use. Asks of one finder may come from one thread at a time."""

    def __init__(self, rules: Rules) -> None:
        self.names = Names(rules.names, rules.exempt)
        self._exempt_values = set(rules.exempt)
        self._exempt_patterns = [_compile(entry[1:-1]) for entry in rules.exempt if _is_pattern(entry)]
        self._added_patterns = [_compile(pattern) for pattern in rules.patterns]
        self._shapes = [(kind, marks, re.compile(pattern)) for kind, marks, pattern in _SHAPES]
        self._marks = tuple(mark for _, marks, _ in _SHAPES for mark in marks)
        self._stems = (*_STEMS, *(name.lower() for name in rules.names))

    # -- texts --------------------------------------------------------------------------------------------------

    def may_hold(self, text: str) -> bool:
        """False only if `find` would find nothing; costs microseconds."""
        if self.may_hold_shape(text):
            return True
        text = text.lower()
        return any(stem in text for stem in self._stems)

    def may_hold_shape(self, text: str) -> bool:
        """The part of `may_hold` for what is no text: a secret in there has no name."""
        return bool(self._added_patterns) or any(mark in text for mark in self._marks)

    def find(self, text: str, start: int = 0) -> list[Found]:
        """The secrets in a text from `start` on, in order, none overlapping another."""
        found = [one for one in self._all(text, start) if not self.is_exempt(text[one.start : one.end])]
        return without_overlaps(found)

    def find_in_header(self, kind: str, value: str) -> list[Found]:
        """The secrets in the value of a header that `names.kind_of_header` calls a secret."""
        if kind == "cookie":
            found = self._cookies(value)
        elif kind == "credential":
            found = self._credentials(value)
        else:
            found = [self.whole(value, kind)]
        return [one for one in found if one.start < one.end and not self.is_exempt(value[one.start : one.end])]

    def whole(self, value: str, kind: str) -> Found:
        """The whole text is a secret; if it is one by its shape as well, it is called so."""
        return Found(0, len(value), self.kind_of_shape(value) or kind)

    def kind_of_shape(self, value: str) -> str | None:
        for kind, marks, pattern in self._shapes:
            if any(mark in value for mark in marks) and pattern.fullmatch(value):
                return kind
        return None

    def is_exempt(self, value: str) -> bool:
        return (
            not value.strip()
            or _HARMLESS.match(value) is not None
            or value in self._exempt_values
            or any(pattern.fullmatch(value) for pattern in self._exempt_patterns)
        )

    def _all(self, text: str, start: int, depth: int = 0) -> Iterator[Found]:
        for kind, marks, pattern in self._shapes:
            if any(mark in text for mark in marks):
                for match in pattern.finditer(text, start):
                    yield Found(match.start(), match.end(), kind)
        for pattern in self._added_patterns:
            for match in pattern.finditer(text, start):
                group: int | str = "secret" if "secret" in pattern.groupindex else 0
                if match.group(group):
                    yield Found(match.start(group), match.end(group), "secret")
        lower = text.lower()
        if not any(stem in lower for stem in self._stems):
            return
        if depth < _DEPTH:
            for inner in inner_texts(text, start):
                for one in self._all(inner.text, 0, depth + 1):
                    yield Found(inner.outside(one.start), inner.outside(one.end), one.kind)
        if '"' in text:
            yield from self._named(_JSON.finditer(text, start))
            if "[" in text:
                yield from self._in_lists(text, start)
            if "{" in text:
                yield from self._named(_TYPED.finditer(text, start))
            if '="' in text or '= "' in text:
                yield from self._named(_ATTRIBUTE.finditer(text, start))
            if '\\"' in text:
                yield from self._named(_JSON_IN_JSON.finditer(text, start))
            if "name=" in text:
                yield from self._named(_PART.finditer(text, start))
        if "=" in text:
            yield from self._named(_FORM.finditer(text, start))
            if ".Name=" in text or ".Key=" in text:
                yield from self._named(_NUMBERED.finditer(text, start))
        if "'" in text:
            yield from self._named(_QUOTED.finditer(text, start))
            if " entry '" in text or " value: '" in text:
                yield from self._refused(text, start)
        if "</" in text:
            yield from self._named(_XML.finditer(text, start))
        if "<input" in text:
            yield from self._named(_INPUT.finditer(text, start))
        if ": " in text:
            for match in _HEADER_LINE.finditer(text, start):
                header = self.names.kind_of_header(match["name"])
                if header is not None:
                    offset = match.start("value")
                    for one in self.find_in_header(header, match["value"]):
                        yield Found(offset + one.start, offset + one.end, one.kind)
        if "://" in text:
            for match in _USER.finditer(text, start):
                yield Found(*match.span("value"), "password")
        if "@tcp(" in text or "@unix(" in text:
            for match in _DSN.finditer(text, start):
                yield Found(*match.span("value"), "password")
        if "\r\n" in text and ("auth" in lower or "pass " in lower):
            for match in _LOGIN.finditer(text, start):
                yield Found(*match.span(match.lastgroup or 0), "password")
        if text.count("/") > 1:
            for match in _IN_PATH.finditer(text, start):
                named = "token" if match["name"].lower() in _IN_PATHS else self.names.kind(match["name"])
                if named is not None:
                    yield Found(*match.span("value"), self.kind_of_shape(match["value"]) or named)
        if "sig" in lower or "hmac=" in lower:
            for match in _SIGNED.finditer(text, start):
                yield Found(*match.span("value"), "signature")
        if "bearer" in lower:
            for match in _BEARER.finditer(text, start):
                yield Found(*match.span("value"), self.kind_of_shape(match["value"]) or "bearer")
        if "signature=" in lower:
            for match in _SIGV4.finditer(text, start):
                yield Found(*match.span("value"), "signature")

    def find_in_command(self, command: str) -> list[Found]:
        """The secrets on a command line: what is said by name, and what is one anywhere."""
        found = self.find(command)
        for pattern in (_ASSIGNED, _OPTION):
            for match in pattern.finditer(command):
                kind = self.names.kind(match["name"])
                if kind is not None:
                    word = next(name for name in ("double", "single", "bare") if match[name] is not None)
                    found.append(Found(*match.span(word), self.kind_of_shape(match[word]) or kind))
        for match in _QUOTED_HEADER.finditer(command):
            header = self.names.kind_of_header(match["name"])
            if header is not None:
                offset = match.start("value")
                found += [
                    Found(offset + one.start, offset + one.end, one.kind)
                    for one in self.find_in_header(header, match["value"])
                ]
        return without_overlaps(
            one
            for one in found
            if not _NO_LITERAL.match(command, one.start) and not self.is_exempt(command[one.start : one.end])
        )

    def of_environment(self, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The values that are secrets: (value, kind). A plain word is none: it could be any word of a document."""
        for name, value in environment.items():
            kind = self.names.kind(name)
            if kind not in (None, "session") and not _NO_LITERAL.match(value) and not _PLAIN_WORD.match(value):
                if not self.is_exempt(value):
                    yield value, kind or "secret"
            elif self.may_hold(value):
                for one in self.find(value):
                    yield value[one.start : one.end], one.kind

    def _in_lists(self, text: str, start: int) -> Iterator[Found]:
        for match in _JSON_LIST.finditer(text, start):
            kind = self.names.kind(match["name"])
            if kind is not None:
                for value in _TEXTS.finditer(text, *match.span("values")):
                    yield Found(*value.span("value"), self.kind_of_shape(value["value"]) or kind)

    def _named(self, matches: Iterable[re.Match[str]]) -> Iterator[Found]:
        for match in matches:
            kind = self.names.kind(match["name"])
            if kind is None:
                continue
            groups = match.groupdict()
            value = groups["value"]
            if value is not None:
                if _SCOPE in value:
                    continue
                yield Found(*match.span("value"), self.kind_of_shape(value) or kind)
            elif may_be_number(kind):
                yield Found(*match.span("number"), kind)

    def _refused(self, text: str, start: int) -> Iterator[Found]:
        for match in _REFUSED.finditer(text, start):
            kind = self.names.kind(match["name"])
            if kind is not None:
                group = "wrong" if match["value"] is None else "value"
                yield Found(*match.span(group), self.kind_of_shape(match[group]) or kind)

    def _credentials(self, value: str) -> list[Found]:
        """`Bearer x`, `Basic x`: the scheme stays, so that a reader sees what it was."""
        if value.startswith("AWS4-HMAC"):
            keys = [Found(*match.span("value"), "aws-key") for match in _SIGV4_KEY.finditer(value)]
            return keys + [Found(*match.span("value"), "signature") for match in _SIGV4.finditer(value)]
        scheme = _SCHEME.match(value)
        if scheme is None:
            return [self.whole(value, "credential")]
        credential = value[scheme.end() :]
        kind = self.kind_of_shape(credential) or scheme.group().strip().lower()
        return [Found(scheme.end(), len(value), kind)]

    def _cookies(self, value: str) -> list[Found]:
        """The values of `a=1; b=2`; of a Set-Cookie only the first pair, the rest being attributes."""
        spans = []
        for match in _COOKIE.finditer(value):
            name = match.group().partition("=")[0].strip().lower()
            if name not in _COOKIE_ATTRIBUTES:
                start, end = match.span("value")
                end = start + len(match["value"].rstrip())
                spans.append(Found(start, end, self.kind_of_shape(value[start:end]) or "cookie"))
        return spans


_COOKIE_ATTRIBUTES = frozenset(["path", "domain", "expires", "max-age", "samesite", "priority", "version"])


def without_overlaps(found: Iterable[Found]) -> list[Found]:
    """In order; of two that overlap, what begins first and reaches furthest."""
    result: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not result or one.start >= result[-1].end:
            result.append(one)
    return result


def _is_pattern(entry: str) -> bool:
    return len(entry) > 2 and entry[0] == entry[-1] == "/"


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"redact: {pattern!r} is no regular expression: {error}") from error


Replacement = Callable[[str, str], str]  # (value, kind) -> what stands in its place
