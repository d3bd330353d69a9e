"""Holds what the jail says about one file, within 256 KiB."""

import json
from dataclasses import dataclass, field
from typing import Any

from .cells import Cells
from .findings import Finding, Severity, bounded, verdict
from .sites import Sketch
from .thresholds import Policy

SCHEMA = 1
MAX_ANSWER = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """Findings, the worst of them as verdict, a few numbers; the rest is never for requesters."""

    kind: str
    policy_version: int
    format: str
    findings: tuple[Finding, ...]
    complete: bool = True
    facts: dict[str, int] = field(default_factory=dict)
    clean: bool = False
    view: dict[str, Any] | None = None
    cells: Cells | None = None
    sites: Sketch | None = None
    members: bytes | None = None  # bits, as `People.listed` gives them

    @property
    def verdict(self) -> Severity:
        """The worst finding; an unfinished inspection always blocks."""
        return verdict(self.findings) if self.complete else Severity.BLOCK

    def as_json(self) -> dict[str, Any]:
        """Return plain facts for answer.json."""
        shown, omitted = bounded(self.findings)
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "policy_version": self.policy_version,
            "format": self.format,
            "verdict": self.verdict.name.lower(),
            "complete": self.complete,
            "findings": [finding.as_json() for finding in shown],
            "omitted": omitted,
            "facts": self.facts,
            "clean": self.clean,
            "view": self.view,
            "cells": None if self.cells is None else self.cells.as_json(),
            "sites": None if self.sites is None else [f"{number:016x}" for number in self.sites.smallest],
            "members": None if self.members is None else self.members.hex(),
        }

    def as_bytes(self) -> bytes:
        """Return canonical JSON; a view or cells that would break the bound are left out, never the findings."""
        raw = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":")).encode()
        if len(raw) <= MAX_ANSWER:
            return raw
        unsaid = None if self.cells is None else Cells((), self.cells.rounded, complete=False).as_json()
        small = {**self.as_json(), "view": None, "cells": unsaid}
        return json.dumps(small, sort_keys=True, separators=(",", ":")).encode()


def failed(kind: str, policy: Policy, finding: Finding) -> Answer:
    """Return the answer of an inspection that could not be done; it blocks."""
    return Answer(kind, policy.version, "other", (finding,), complete=False)
