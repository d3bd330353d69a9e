"""Judges the text of a program that a task runs, a process's script or a file in bin/, by its language."""

import posixpath
import re
from collections.abc import Iterator

from wes.lint import ABSOLUTE, EVALS, NETWORK, NETWORK_TOOL, Finding
from wes.nextflow_outline import Program

REMOTE = re.compile(r"(?:https?|ftp|s3|gs|az|sra|dx)://[^\s'\"]*")
_SHEBANG = re.compile(r"#!\s*(?:\S*/)?(?:env\s+(?:-S\s+)?)?(?:\S*/)?([A-Za-z]+)")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_SUFFIXES = {".py": "python", ".R": "Rscript", ".r": "Rscript", ".pl": "perl", ".awk": "awk"}
_COMMENT = re.compile(r"^[ \t]*#(?!!).*$", re.MULTILINE)
# What a word, a key or a token looks like that opens something elsewhere.
_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}\b|"
    r"\b(?i:\w*(?:password|passwd|secret|token|api_?key))\b\s*(?:=|<-|:)\s*['\"][^'\"$@{}\s]{8,}['\"]"
)
_QUOTED_PATH = re.compile(r"['\"](/(?!dev/(?:null|stdout|stderr|shm|fd)|tmp/|run/workflow/)[A-Za-z0-9._/-]+)")
_QUOTED_TOOL = re.compile(
    r"['\"`](?:\S*/)?(curl|wget|aria2c|ssh|scp|sftp|rsync|netcat|socat|gsutil|gcloud|rclone)(?=[\s'\"`])"
)
_IMPORT = re.compile(r"^\s*(?:import|from)\s+([A-Za-z0-9_.]+)", re.MULTILINE)
_OTHER_LIBRARY = {
    "Rscript": re.compile(
        r"\b(?:(?:library|require|requireNamespace|loadNamespace)\s*\(\s*['\"]?(httr2?|curl|RCurl|biomaRt|rentrez)\b|"
        r"(download\.file|install\.packages|socketConnection|install_\w+|(?:httr2?|curl|RCurl)::\w+)\s*\()"
    ),
    "perl": re.compile(
        r"^\s*(?:use|require)\s+((?:LWP|HTTP|Net|WWW|IO::Socket|Mojo::UserAgent)\b[\w:]*)", re.MULTILINE
    ),
}
_SHELL_STARTS = {
    "python": re.compile(r"\b(os\.system|os\.popen|subprocess\.getoutput)\s*\(|\b(shell\s*=\s*True)\b"),
    "Rscript": re.compile(r"(?<![.\w])(system)\s*\("),
    "perl": re.compile(r"(?<![.\w>])(system|exec)\s*\("),
}
_RUNS_ARGUMENT = re.compile(
    r"(?:^|[\s;|&(])(?:bash|sh|python3?|perl|Rscript|source|\.)\s+['\"]?(\$(?:\{?[1-9@*]))", re.M
)


def judge(text: str, file: str, first: int) -> Iterator[Finding]:
    """Yield what there is to say of a program's text, which begins at line `first` of a file."""
    # A comment does nothing; what stays keeps its line.
    plain = _COMMENT.sub("", text)
    language = _language(text, file)

    def each(pattern: re.Pattern[str] | None, code: str) -> Iterator[Finding]:
        for one in pattern.finditer(plain) if pattern is not None else ():
            said = one[one.lastindex or 0]
            line = first + plain.count("\n", 0, one.end(one.lastindex or 0) - len(said.lstrip()))
            yield Finding(code, file, line, said.strip()[:80])

    yield from each(REMOTE, "remote-file")
    # The secret itself stays out of what is printed.
    yield from (
        Finding(one.code, one.file, one.line, "a key, token or password") for one in each(_SECRET, "secret-inside")
    )
    if language in _SHELLS:
        yield from each(NETWORK_TOOL, "network-tool")
        yield from each(EVALS, "shell-inside-shell")
        yield from (
            one for one in each(ABSOLUTE, "absolute-path") if not (one.line == first and text.startswith("#!"))
        )
        return
    if language == "python":
        yield from (one for one in each(_IMPORT, "network-library") if NETWORK.fullmatch(f"import {one.about}"))
    yield from each(_OTHER_LIBRARY.get(language), "network-library")
    yield from each(_QUOTED_TOOL, "network-tool")
    yield from each(_SHELL_STARTS.get(language), "shell-inside-shell")
    yield from each(_QUOTED_PATH, "absolute-path")


def judge_program(program: Program) -> Iterator[Finding]:
    """Yield what there is to say of a program of the workflow or of a module."""
    if program.text is None:
        yield Finding("code-compiled", program.path, 0, program.path)
        return
    yield from judge(program.text, program.path, 1)
    if _language(program.text, program.path) in _SHELLS:
        for one in _RUNS_ARGUMENT.finditer(program.text):
            line = 1 + program.text.count("\n", 0, one.start(1))
            yield Finding("input-is-code", program.path, line, one[1])


def _language(text: str, file: str) -> str:
    """Return the interpreter that a text names, or its file's ending; a shell, if neither does."""
    found = _SHEBANG.match(text)
    if found is None:
        return _SUFFIXES.get(posixpath.splitext(file)[1], "sh")
    return "python" if found[1].startswith("python") else found[1]
