"""Holds what a Nextflow workflow publishes against what its contract promises."""

import re
from collections.abc import Iterator, Sequence

from wes.lint import Finding
from wes.manifest import Manifest
from wes.nextflow_content import REMOTE
from wes.nextflow_outline import NextflowOutline
from wes.nextflow_published import Published

PREVIEW = "nextflow.preview.output"
_TOKENS, _STARS = re.compile(r"\*\*|.", re.DOTALL), ("*", "**")
_NOT_PUBLISHED_TO = ("work", "inputs")  # as wes.publishing


def places(outline: NextflowOutline, published: Sequence[Published]) -> Iterator[Finding]:
    """Yield what there is to say of the folders that files are published to."""
    for one in published:
        if one.folder is None:
            yield Finding("publish-computed", one.file, one.line, one.about)
        elif _is_outside(one.folder):
            yield Finding("publish-outside", one.file, one.line, one.folder[:80])
    on = {flag.file for flag in outline.flags if flag.name == PREVIEW and flag.value.value is True}
    for output in outline.outputs:
        if output.file not in on:
            yield Finding("outputs-off", output.file, output.line, PREVIEW)
        for said in output.directives:
            if said.name == "index":
                yield Finding("output-index", output.file, said.line, output.name)


def compare(outline: NextflowOutline, published: Sequence[Published], manifest: Manifest) -> Iterator[Finding]:
    """Yield what is published and not promised, and what is promised and never published."""
    processes = {name: one for one in outline.processes for name in outline.names_of(one)}
    for promised in manifest.contract.rules:
        if promised.rule and promised.rule not in processes:
            if not outline.errors:
                yield Finding("contract-rule", "manifest.yaml", 0, promised.rule)
        elif promised.match and not promised.stream:
            process = processes.get(promised.rule)
            mine = [one for one in published if process is None or one.process in (process, None)]
            if any(one.folder is None or _is_any(promised.match, one) for one in mine):
                continue
            if process is not None and any(one.process is process for one in mine):
                yield Finding("contract-output", process.file, process.line, promised.match)
            elif not outline.errors:
                yield Finding("contract-unpublished", "manifest.yaml", 0, promised.match)
    for one in published:
        for pattern in one.patterns:
            if manifest.contract.rule_for(pattern.replace("*", "x")) is None and not _is_promised(pattern, manifest):
                yield Finding("output-not-promised", one.file, one.line, pattern[:80])


def _is_outside(folder: str) -> bool:
    parts = folder.split("/")
    return folder.startswith("/") or ".." in parts or parts[0] in _NOT_PUBLISHED_TO or bool(REMOTE.match(folder))


def _is_any(match: str, published: Published) -> bool:
    """Return whether files of one name can be those of a line of the contract; a folder's are below it."""
    return any(meet(match, pattern) or meet(match, f"{pattern}/**") for pattern in published.patterns)


def _is_promised(pattern: str, manifest: Manifest) -> bool:
    """Return whether a line of the contract promises some of the files that a pattern stands for."""
    matches = [rule.match for rule in manifest.contract.rules if rule.match]
    return any(meet(match, pattern) or meet(match, f"{pattern}/**") for match in matches)


def meet(one: str, other: str) -> bool:
    """Return whether some path fits both patterns: `*` stays within a folder, `**` does not."""
    ours, theirs = _TOKENS.findall(one), _TOKENS.findall(other)
    waiting, seen = [(0, 0)], set()
    while waiting:
        i, j = place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        our, their = ours[i : i + 1], theirs[j : j + 1]
        if not our and not their:
            return True
        # A star ends here, or takes what the other one says next; two stars need not take anything together.
        if our and (our[0] in _STARS or our == their):
            waiting.append((i + 1, j if our[0] in _STARS else j + 1))
        if their and their[0] in _STARS:
            waiting.append((i, j + 1))
        if our and their and _takes(our[0], their[0]):
            waiting.append((i, j + 1))
        if our and their and _takes(their[0], our[0]):
            waiting.append((i + 1, j))
    return False


def _takes(star: str, other: str) -> bool:
    return other not in _STARS and (star == "**" or (star == "*" and other != "/"))
