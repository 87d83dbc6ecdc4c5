"""One recorded response against the one that the app gives now.

`compare` is what the run calls for every test. Equal responses take the quick path: a look at the headers, and the
bodies byte by byte; only what differs is taken apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from protocols.http.wire import HttpResponse
from replayer.compare.assertions import NO_ASSERTIONS, Assertions, assertions_of_test
from replayer.compare.content import CannotUndoError, codings, media_type, text_of, undo
from replayer.compare.finding import Finding, Forgive, Kind
from replayer.compare.headers import ASIDE, header_findings
from replayer.compare.json_body import JsonComparison, NotJsonError, parse
from replayer.compare.noise import NO_NOISE, Noise, noise_of_test
from replayer.compare.renaming import Renaming
from replayer.compare.text_body import bytes_findings, file_findings, text_findings
from testset.model import Body, FileBody

_IN_MEMORY = 32 * 1024 * 1024  # a body in a file up to this size is still compared by structure


@dataclass(frozen=True, slots=True)
class Rules:
    """What is said about a test beside its recording."""

    noise: Noise = NO_NOISE
    assertions: Assertions = NO_ASSERTIONS

    @classmethod
    def of(cls, assertions: Mapping[str, Any], settings: Noise = NO_NOISE) -> Rules:
        """A test's own `assertions`, and the noise that the settings have for its set. Raises `SettingsError`."""
        if not assertions:
            return cls(settings)
        return cls(settings | noise_of_test(assertions.get("noise") or {}), assertions_of_test(assertions))


NO_RULES = Rules()


def compare(
    recorded: HttpResponse,
    actual: HttpResponse,
    rules: Rules = NO_RULES,
    *,
    renaming: Mapping[str, str] | None = None,
    forgive: Forgive | None = None,
) -> tuple[Finding, ...]:
    """What differs; empty if nothing does. `renaming`: recorded made-up values and what they are called now."""
    names = Renaming(renaming) if renaming else None
    return tuple(_findings(recorded, actual, rules, names or None, forgive))


def _findings(
    recorded: HttpResponse, actual: HttpResponse, rules: Rules, renaming: Renaming | None, forgive: Forgive | None
) -> Iterator[Finding]:
    noise, assertions = rules.noise, rules.assertions
    if assertions.status:
        yield from assertions.status_findings(actual.status)
    elif recorded.status != actual.status:
        yield Finding("status", Kind.STATUS, str(recorded.status), str(actual.status))

    if recorded.headers != actual.headers or renaming or assertions.headers:
        aside = ASIDE
        if not recorded.body and not actual.body:
            aside -= {"content-length"}
        if assertions.headers:
            aside |= assertions.headers.keys()
            yield from assertions.header_findings(actual.headers)
        yield from header_findings(
            recorded.headers, actual.headers, noise=noise, renaming=renaming, forgive=forgive, aside=aside
        )
    yield from _body_findings(recorded, actual, rules, renaming, forgive)
    if recorded.trailers or actual.trailers:
        yield from header_findings(
            recorded.trailers,
            actual.trailers,
            noise=noise,
            renaming=renaming,
            forgive=forgive,
            aside=frozenset(),
            trailer=True,
        )


def _body_findings(
    recorded: HttpResponse, actual: HttpResponse, rules: Rules, renaming: Renaming | None, forgive: Forgive | None
) -> Iterator[Finding]:
    coded, coded_now = codings(recorded.headers), codings(actual.headers)
    expected_body, actual_body = recorded.body, actual.body
    if isinstance(expected_body, FileBody) or isinstance(actual_body, FileBody):
        if _large(expected_body) or _large(actual_body):
            yield from file_findings(expected_body, actual_body)
            return
        expected_body, actual_body = _bytes(expected_body), _bytes(actual_body)
    about_body = rules.assertions.about_body
    same = expected_body == actual_body and coded == coded_now
    if same and not about_body and (renaming is None or not (coded or renaming.concerns(expected_body))):
        return
    if not about_body and rules.noise.covers_body((), None):
        return
    try:
        expected_body, actual_body = undo(expected_body, coded), undo(actual_body, coded_now)
    except CannotUndoError as error:
        for finding in bytes_findings(expected_body, actual_body):
            yield Finding("body", Kind.ENCODING, finding.expected, finding.actual, str(error), finding.start)
        return
    media, media_now = media_type(recorded.headers), media_type(actual.headers)
    expected_text, actual_text = text_of(expected_body, media), text_of(actual_body, media_now)
    structure = JsonComparison(rules.noise, renaming, forgive)
    if about_body:
        yield from rules.assertions.body_findings(actual_text, structure)
        return
    if expected_text is None or actual_text is None:
        yield from bytes_findings(expected_body, actual_body)
        return
    if media.is_json or (media.may_be_json and expected_text.lstrip()[:1] in ("{", "[")):
        try:
            expected_value = parse(expected_text)
        except NotJsonError:
            pass  # recorded as something else than it says: then its text is what counts
        else:
            yield from _json_findings(expected_value, expected_text, actual_text, structure)
            return
    yield from text_findings(expected_text, actual_text, renaming=renaming, forgive=forgive)


def _json_findings(expected: Any, expected_text: str, actual_text: str, structure: JsonComparison) -> Iterator[Finding]:
    try:
        actual = parse(actual_text)
    except NotJsonError as error:
        yield Finding("body", Kind.TYPE, expected_text, actual_text, f"JSON recorded, now none: {error}")
        return
    try:
        findings = structure.findings(expected, actual)
    except RecursionError:  # nested hundreds of levels deep
        yield from text_findings(expected_text, actual_text, renaming=structure.renaming, forgive=structure.forgive)
    else:
        yield from findings


def _large(body: Body) -> bool:
    return isinstance(body, FileBody) and body.size > _IN_MEMORY


def _bytes(body: Body) -> bytes:
    return body.path.read_bytes() if isinstance(body, FileBody) else body
