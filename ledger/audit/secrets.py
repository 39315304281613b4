"""Checks invariant 11: no key, token or password in any record. Pure.

Searches for the patterns of well-known keys, and for the values of named secrets. A violation names
the location and the kind, never the secret.
"""

import json
import re
from collections.abc import Mapping

from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import DecodedRecord

SECRET_BYTES_MIN = 8
"""Shorter values are not searched for, because they occur in records by chance."""

LARGE_BYTES = 64 << 10

PATTERNS: tuple[tuple[str, bytes, re.Pattern[bytes]], ...] = (
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
"""Kind of key, bytes that all of them contain, and their pattern."""


class SecretsChecker(Checker):
    """Searches keys, values and headers."""

    number = 11
    title = "no secrets in the records"
    needs = ()
    required_count = "records"

    def __init__(self, scope: Scope, values: Mapping[str, str] | None = None) -> None:
        """Prepare the search.

        Args:
            scope: What records will come.
            values: Name of a secret -> its value; short values are skipped.
        """
        super().__init__(scope)
        self._values: list[tuple[str, bytes]] = []
        for name, value in (values or {}).items():
            if len(value.encode()) < SECRET_BYTES_MIN:
                continue
            as_json = json.dumps(value)[1:-1]
            self._values += [(name, text.encode()) for text in {value, as_json}]
        self.counts["shapes of keys"] = len(PATTERNS)
        self.counts["named secrets"] = len({name for name, _ in self._values})

    def take(self, decoded: DecodedRecord) -> None:
        """Search one record."""
        record = decoded.record
        self.counts["records"] += 1
        parts = [part for part in (record.value, record.key, *record.headers.values()) if part]
        whole = b"\0".join(parts)
        self.counts["bytes"] += sum(map(len, parts))
        large = len(whole) > LARGE_BYTES
        for what, certain, pattern in PATTERNS:
            if large and certain[:1] not in whole:
                continue  # Finding one byte is ten times as fast.
            if certain in whole:
                for part in parts:
                    if (found := pattern.search(part)) is not None:
                        self._report(decoded, what, found.start())
        for name, value in self._values:
            for part in parts:
                if (at := part.find(value)) >= 0:
                    self._report(decoded, f"the value of {name}", at)

    def _report(self, decoded: DecodedRecord, what: str, at: int) -> None:
        self.expect(False, decoded.location, decoded.kind, "no secret", f"{what} at byte {at}")
