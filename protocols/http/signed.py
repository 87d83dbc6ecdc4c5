"""Signed addresses: links to an object that whoever has them may use, new each time and for a while.

The parameters that sign say nothing about what is asked for: AWS and Google (version 4), and the older way, which
CloudFront has kept.
"""

from __future__ import annotations

from collections.abc import Set

from protocols.http import aws

_GOOGLE = frozenset(
    f"x-goog-{name}" for name in ("algorithm", "credential", "date", "expires", "signature", "signedheaders")
)
_OLD_KEYS = frozenset({"AWSAccessKeyId", "GoogleAccessId", "Key-Pair-Id"})
_OLD = _OLD_KEYS | {"Expires", "Policy", "Signature", "x-amz-security-token"}


def parameters(names: Set[str]) -> Set[str]:
    """Those of a query's parameters that sign it."""
    signing = {name for name in names if aws.is_signing(name.lower()) or name.lower() in _GOOGLE}
    if "Signature" in names and names & _OLD_KEYS:
        signing |= names & _OLD
    return signing
