"""Drafts a folder of others, and runs it by its draft, in the tests' house and by bare Nextflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from nextflow_house import Both, beside_bare, written

from strongroom.settings import Settings
from wes.lint import Finding
from wes.lint_table import TABLE, Severity
from wes.manifest import parse_manifest
from wes.nextflow_drafts import draft
from wes.nextflow_lint import lint
from wes.outlining import nextflow_outline

CONFIG = {"nextflow.config": "process.container = 'genomics'\n"}


@dataclass(frozen=True)
class Drafted:
    """A folder, its draft, and what vetting says of it."""

    folder: Path
    manifest: dict[str, Any]
    found: list[Finding]

    def errors(self) -> list[Finding]:
        """Return the findings that vetters cannot pass over."""
        return [one for one in self.found if TABLE[one.code].severity is Severity.ERROR]

    def run(self, inputs: Mapping[str, bytes] | None = None) -> Both:
        """Run it by its draft, here and bare."""
        return beside_bare(self.folder, self.manifest, inputs)


def drafted(home: Path, files: Mapping[str, str]) -> Drafted:
    """Write a folder, and draft its manifest."""
    folder = written(home / "demo" / "1.0.0", CONFIG | dict(files))
    seen = nextflow_outline(Settings(), folder, entry="main.nf")
    said = draft(seen, {}, folder=("demo", "1.0.0"), version="25.04.4")
    return Drafted(folder, said, lint(seen, parse_manifest(yaml.safe_dump(said)), {"genomics": "sha256:0"}))


def results(both: Both) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return what both published."""
    ours, bare = both
    return ours.below("results"), {path: content for path, content in bare.items() if path.startswith("results/")}
