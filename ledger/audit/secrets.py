"""Invariant 11: no key, token or password in any record. Pure.

What is searched for: the shapes of well-known keys, and the values of secrets that the caller
names. A finding tells where and what kind, never the secret.
"""

import json
import re
from collections.abc import Mapping

from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import DecodedRecord

SECRET_BYTES_MIN = 8
"""A shorter value is a word that stands in many records by chance."""

LARGE_BYTES = 64 << 10

SHAPES: tuple[tuple[str, bytes, re.Pattern[bytes]], ...] = (
    ("an API key (sk-...)", b"sk-", re.compile(rb"\bsk-[A-Za-z0-9_-]{20,}")),
    ("an AWS access key", b"AKIA", re.compile(rb"\bAKIA[0-9A-Z]{16}\b")),
    ("a GitHub token", b"gh", re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}")),
    ("a GitHub token", b"github_pat_", re.compile(rb"\bgithub_pat_[A-Za-z0-9_]{40,}")),
    ("a Google API key", b"AIza", re.compile(rb"\bAIza[0-9A-Za-z_-]{35}")),
    ("a Slack token", b"xox", re.compile(rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("a private key", b"PRIVATE KEY-----", re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a bearer token", b"earer ", re.compile(rb"\b[Bb]earer [A-Za-z0-9._~+/-]{20,}")),
    ("a JSON web token", b"eyJ", re.compile(rb"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}")),
    ("a password in an address", b"://", re.compile(rb"://[^/\s:@\"]{1,64}:[^/\s:@\"]{3,}@")),
)
"""What it is, bytes that every one of them has, and its shape."""


class SecretsChecker(Checker):
    """Searches keys, values and headers.

    Args:
        scope: The records.
        values: Name of a secret -> its value; short ones are passed over.
    """

    number = 11
    title = "no secrets in the records"
    needs = ()
    required_count = "records"

    def __init__(self, scope: Scope, values: Mapping[str, str] | None = None) -> None:
        """Prepare what is searched for."""
        super().__init__(scope)
        self._values: list[tuple[str, bytes]] = []
        for name, value in (values or {}).items():
            if len(value.encode()) < SECRET_BYTES_MIN:
                continue
            as_json = json.dumps(value)[1:-1]
            self._values += [(name, text.encode()) for text in {value, as_json}]
        self.counts["shapes of keys"] = len(SHAPES)
        self.counts["named secrets"] = len({name for name, _ in self._values})

    def take(self, decoded: DecodedRecord) -> None:
        """Search one record."""
        record = decoded.record
        self.counts["records"] += 1
        parts = (record.value, record.key, *record.headers.values())
        for part in parts:
            if not part:
                continue
            self.counts["bytes"] += len(part)
            large = len(part) > LARGE_BYTES
            for what, certain, shape in SHAPES:
                if large and certain[:1] not in part:
                    continue  # One byte is found ten times as fast as several.
                if certain in part and (found := shape.search(part)) is not None:
                    self._say(decoded, what, found.start())
            for name, value in self._values:
                if (at := part.find(value)) >= 0:
                    self._say(decoded, f"the value of {name}", at)

    def _say(self, decoded: DecodedRecord, what: str, at: int) -> None:
        self.expect(False, decoded.location, decoded.kind, "no secret", f"{what} at byte {at}")
