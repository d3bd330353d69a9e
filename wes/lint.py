"""Judges a workflow by its outline and manifest: pure rules, each with a code of `wes.lint_table`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from wes import checkpoints, lint_commands, own_files, sheets
from wes.lint_table import TABLE, Severity
from wes.manifest import Manifest
from wes.outline import Argument, Call, Outline, Rule, Statement
from wes.parameters import texts as parameter_texts
from wes.sheets import READING

# Directives that no rule may have, and statements that matter.
DIRECTIVES = {
    "run": "run-block",
    "notebook": "notebook",
    "template_engine": "engine-inside",
    "cwl": "engine-inside",
    "conda": "conda",
    "containerized": "image-unknown",
}
STATEMENTS = {
    "configfile": "configfile",
    "workdir": "workdir",
    "envvars": "envvars",
    "storage": "remote-storage",
    "conda": "conda",
    "containerized": "image-unknown",
    "pepfile": "parse-reads",
    "onstart": "hook",
    "onsuccess": "hook",
    "onerror": "hook",
}
MARKS = {"pipe": "together", "service": "together", "update": "update", "before_update": "update"}
FROM_QUEUE = re.compile(r"\bfrom_queue\(")
# The words of ensure(); which ones a mapping has, nobody sees.
CHECKSUM = re.compile(r"\b(?:checksum|sha256|sha1|md5)\b\s*=|,\s*\*\*")
HOSTED = frozenset({"github", "gitlab", "bitbucket", "HTTP", "S3", "GS", "FTP"})
PROCESSES = ("os.system", "os.popen", "os.exec", "os.spawn", "os.fork", "subprocess.", "import subprocess", "pty.")
EVALUATED = frozenset({"eval", "exec", "compile", "__import__", "getattr", "globals"})
EVALUATED |= {"import importlib", "import ctypes", "import pickle"}
NETWORK = re.compile(
    r"import (socket|ssl|http|urllib|urllib3|requests|httpx|aiohttp|ftplib|smtplib|paramiko|boto3|xmlrpc)(\..*)?"
)
_TOOLS = "curl|wget|aria2c|ssh|scp|sftp|rsync|ftp|lftp|nc|ncat|netcat|socat|telnet|aws|gsutil|gcloud|az|rclone"
_FETCHERS = r"pip3?|conda|mamba|apt|apt-get|git\s+clone|prefetch"
NETWORK_TOOL = re.compile(rf"(?:^|[\s;|&(`/])(?:{_TOOLS}|{_FETCHERS})(?=\s|$)")
ABSOLUTE = re.compile(
    r"(?:^|[\s=<>'\"(])(/(?!dev/(?:null|stdout|stderr|shm|fd)|tmp/|run/workflow/)/*[A-Za-z0-9._-][A-Za-z0-9._/-]*)"
)
_RUNNERS = r"bash|sh|python3?|perl|Rscript|source|\.|awk -f|sed -f"
RUNS_INPUT = re.compile(rf"(?:^|[\s;|&(])(?:{_RUNNERS})\s+\{{(?:input|params)\b")
EVALS = re.compile(r"(?:^|[\s;|&(])(?:eval|xargs|parallel|(?:ba)?sh\s+-c)(?=\s|$)")
_WILDCARD = re.compile(r"\{wildcards\.([A-Za-z0-9_]+)[^}]*\}")


@dataclass(frozen=True)
class Finding:
    """One place of a workflow that somebody should know about; `about` names what is there."""

    code: str
    file: str
    line: int
    about: str = ""

    @property
    def severity(self) -> Severity:
        """How grave it is."""
        return TABLE[self.code].severity

    def facts(self) -> dict[str, object]:
        """Return the finding as JSON, with its reason and cure."""
        entry = TABLE[self.code]
        place = {"code": self.code, "severity": entry.severity.value, "file": self.file, "line": self.line}
        return {**place, "about": self.about, "reason": entry.reason, "cure": entry.cure}


def lint(outline: Outline, manifest: Manifest | None, images: Mapping[str, str]) -> list[Finding]:
    """Return every finding, by file and line; `images` are the names that this host has a digest for."""
    found = [Finding("unreadable", one.file, one.line, one.message) for one in outline.errors]
    for statement in outline.statements:
        found += _statement(statement)
    laid = own_files.laid(outline, manifest)
    for call in outline.calls:
        found += _call(call, laid)
    found += [Finding("clear-needed", *one) for one in sheets.ungranted(outline, manifest)]
    found += [Finding(*one) for one in checkpoints.ungranted(outline, manifest)]
    constrained = _constrained(outline)
    for rule in outline.rules:
        found += _rule(rule, outline)
        found += _twice(rule)
        found += _shell(
            rule, manifest, constrained | {one.key for one in rule.directives.get("wildcard_constraints", ())}
        )
    if manifest is not None:
        names = manifest.images
        found += [Finding("image-without-digest", "manifest.yaml", 0, name) for name in names if name not in images]
        found += _images(outline, manifest)
        found += _contract(outline, manifest)
        found += [Finding(*one) for one in lint_commands.against(outline, manifest)]
    return sorted(set(found), key=lambda one: (one.file, one.line, one.code, one.about))


def _statement(one: Statement) -> Iterator[Finding]:
    if code := STATEMENTS.get(one.name):
        yield Finding(code, one.file, one.line, one.name)
    if one.name not in ("include", "module"):
        return
    for argument in one.arguments:
        if argument.key not in (None, "snakefile"):
            continue
        if argument.kind == "text" and "://" not in str(argument.value):
            continue
        remote = argument.kind == "text" or any(f"{word}(" in argument.text for word in HOSTED)
        yield Finding("remote-include" if remote else "include-computed", one.file, one.line, argument.text[:80])


def _call(call: Call, laid: frozenset[str]) -> Iterator[Finding]:
    def found(code: str) -> Finding:
        return Finding(code, call.file, call.line, call.name)

    if call.where == "task":
        if NETWORK.fullmatch(call.name):
            yield found("network-library")
        return
    if call.name in ("shell.prefix", "shell.suffix", "shell.executable", "shell.win_command_prefix"):
        yield found("shell-prefix")
    elif call.name.startswith("storage.") or call.name in HOSTED - {"github", "gitlab", "bitbucket"}:
        yield found("remote-storage")
    elif call.name.startswith(PROCESSES) or call.name == "shell":
        yield found("parse-process")
    elif call.name in EVALUATED:
        yield found("parse-eval")
    elif NETWORK.fullmatch(call.name):
        yield found("parse-network")
    elif READING.fullmatch(call.name) and not _is_of_the_folder(call, laid):
        yield found("parse-reads")


def _is_of_the_folder(call: Call, laid: frozenset[str]) -> bool:
    """Return whether a call names a file that vetters sign, and that lies in the work folder as well."""
    return call.first is not None and not laid.isdisjoint(own_files.paths(call.first))


def _rule(rule: Rule, outline: Outline) -> Iterator[Finding]:
    def found(code: str, about: str = "", line: int = 0) -> Finding:
        return Finding(code, rule.file, line or rule.line, about or rule.name)

    if rule.kind == "use":
        yield found("rule-reused")
    elif rule.name.isdigit():
        yield found("rule-unnamed", "rule")
    yield from (found(code) for name, code in DIRECTIVES.items() if name in rule.directives)
    for argument in [*rule.directives.get("output", ()), *rule.directives.get("input", ())]:
        yield from (found(code, argument.text[:80], argument.line) for m in argument.marks if (code := MARKS.get(m)))
        if "storage." in argument.text:
            yield found("remote-storage", argument.text[:80], argument.line)
        if FROM_QUEUE.search(argument.text):
            yield found("queue", argument.text[:80], argument.line)
        if "ensure" in argument.marks and CHECKSUM.search(argument.text):
            yield found("checksum", argument.text[:80], argument.line)
        if argument.kind == "text" and str(argument.value).startswith("/"):
            yield found("absolute-path", str(argument.value)[:80], argument.line)
    for argument in rule.directives.get("resources", ()):
        if argument.kind in ("lambda", "code", "format"):
            yield found("resources-computed", argument.key or "", argument.line)
    yield from (found("params-computed", name) for name in lint_commands.computed(rule, outline))
    if "wrapper" in rule.directives and not rule.scripts:
        yield found("remote-wrapper")
    elif "script" in rule.directives or "wrapper" in rule.directives:
        yield from _script(rule)
    if lint_commands.is_job(rule) and "log" not in rule.directives and "shell" in rule.directives:
        yield found("log-none")


def _twice(rule: Rule) -> list[Finding]:
    places = [(rule.file, rule.line), *((one.file, one.line) for one in rule.twice)]
    return [Finding("rule-twice", *place, rule.name) for place in places] if rule.twice else []


def _script(rule: Rule) -> Iterator[Finding]:
    if not rule.scripts:
        yield Finding("script-outside", rule.file, rule.line, rule.name)
    elif not rule.scripts[0].path.endswith(".py"):
        yield Finding("script-language", rule.file, rule.line, rule.scripts[0].path)


def _shell(rule: Rule, manifest: Manifest | None, constrained: set[str | None]) -> Iterator[Finding]:
    said = rule.first("shell")
    if said is None:
        return
    text = str(said.value) if said.kind == "text" else said.text
    line = said.line or rule.line
    for pattern, code in ((NETWORK_TOOL, "network-tool"), (ABSOLUTE, "absolute-path"), (RUNS_INPUT, "input-is-code")):
        yield from (Finding(code, rule.file, line, one.strip()[:80]) for one in _matches(pattern, text))
    yield from (Finding("script-relative", rule.file, line, path[:80]) for path in own_files.beside(rule, manifest))
    yield from (Finding("shell-inside-shell", rule.file, line, one.strip()) for one in _matches(EVALS, text))
    for name in set(_WILDCARD.findall(text)) - constrained:
        yield Finding("wildcard-free", rule.file, line, str(name))
    if manifest is not None:
        yield from (
            Finding("parameter-unquoted", rule.file, line, name)
            for name in lint_commands.unquoted(rule, text, parameter_texts(manifest.parameters))
        )


def _matches(pattern: re.Pattern[str], text: str) -> list[str]:
    return sorted({str(found[found.lastindex or 0]) for found in pattern.finditer(text)})


def _constrained(outline: Outline) -> set[str | None]:
    named = [one for one in outline.statements if one.name == "wildcard_constraints"]
    return {argument.key for one in named for argument in one.arguments}


def _images(outline: Outline, manifest: Manifest) -> Iterator[Finding]:
    everywhere = any(one.name == "container" for one in outline.statements)
    alone = len(manifest.images) == 1  # then it is every rule's that names none
    said = [(one.file, one.line, one.arguments) for one in outline.statements if one.name == "container"]
    for rule in outline.rules:
        images = rule.directives.get("container") or rule.directives.get("singularity")
        if images:
            said.append((rule.file, rule.line, images))
        elif not (everywhere or alone) and lint_commands.is_job(rule) and rule.name not in manifest.remote:
            yield Finding("image-none", rule.file, rule.line, rule.name)
    for file, line, arguments in said:
        for argument in arguments:
            known = argument.kind == "text" and argument.value in manifest.images
            if not known and not (alone and argument.kind == "nothing"):
                yield Finding("image-unknown", file, argument.line or line, argument.text[:80])


def _contract(outline: Outline, manifest: Manifest) -> Iterator[Finding]:
    rules = {rule.name: rule for rule in outline.rules}
    for promised in manifest.contract.rules:
        if not promised.rule:
            continue
        rule = rules.get(promised.rule)
        if rule is None:
            if not any(one.kind == "use" for one in outline.rules):
                yield Finding("contract-rule", "manifest.yaml", 0, promised.rule)
        elif promised.match and not promised.stream and not _writes(rule, promised.match):
            yield Finding("contract-output", rule.file, rule.line, promised.match)
    last = _targets(outline)
    for argument in last:
        path = re.sub(r"\{[^}]*\}", "x", str(argument.value))
        if manifest.contract.rule_for(path) is None:
            yield Finding("output-not-promised", outline.rules[0].file, argument.line, str(argument.value)[:80])


def _writes(rule: Rule, match: str) -> bool:
    """Return whether one of a rule's outputs can be the file; what is computed is believed."""
    outputs = [*rule.directives.get("output", ())]
    if any(one.kind != "text" for one in outputs):
        return True
    for one in outputs:
        pattern = re.sub(r"\{[^}]*\}", "*", str(one.value)) + ("*" if "multiext" in one.marks else "")
        if fnmatchcase(match, pattern) or fnmatchcase(pattern.replace("*", "x"), match) or "directory" in one.marks:
            return True
    return False


def _targets(outline: Outline) -> list[Argument]:
    """Return the literal inputs of rules without a command: what the workflow is for."""
    targets = [rule for rule in outline.rules if "norun" in rule.directives]
    return [one for rule in targets for one in rule.directives.get("input", ()) if one.kind == "text"]
