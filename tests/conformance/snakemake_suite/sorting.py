"""Decides, by reading what a workflow of the suite uses, whether a blind engine can run it, or why not."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

from suite import Case

from strongroom.settings import SOURCE

REFUSALS: dict[str, dict[str, Any]] = tomllib.loads(
    (SOURCE / "engines/snakemake/snakemake_executor_plugin_strongroom/refusals.toml").read_text()
)
# Words of the call that say where jobs run, or how much is printed: there is one executor here, and one scheduler.
INDIFFERENT = frozenset(
    [
        *("cores", "nodes", "cluster", "printshellcmds", "cleanup", "check_md5", "check_results"),
        *("scheduler_ilp_solver", "cleanup_scripts", "benchmark_extended", "set_pythonpath"),
        *("retries", "until", "forceall", "config"),  # the asker's and the workflow's own
    ]
)
FLAGS = frozenset({"-c", "-c1", "-c2", "--cores", "-j", "--jobs", "--verbose", "--printshellcmds", "-p"})
CALLS = {
    "executor": "it asks for a dry run or a touch: nothing runs",
    "report": "it asks for a report of the engine's own records",
    "deployment_method": "it asks the engine for conda or apptainer: images come from the manifest",
    "default_storage_provider": REFUSALS["storage"]["why"],
    "storage_provider_settings": REFUSALS["storage"]["why"],
    "tmpdir": "it goes on in the folder of an earlier run, which the test changed by hand",
    "no_tmpdir": "it runs in the suite's own folder",
    "envvars": REFUSALS["envvars"]["why"],
}
NAMES = "its files have names of other letters than A-Za-z0-9._+=,-"
# What the workflow's own text says, beyond the refusals: pattern, and why it cannot be.
READS = "the engine reads the content of a file that a task made: needs a list with a grammar in the manifest"
UNDECLARED = "its jobs use or append to files that no rule declares: a task has its declared files and no more"
CODE = {
    r"\.output(?:\[\d\]|\.\w+)?\)?\.open\(|\.output[^\n]*\bopen\(": READS,
    r"checkpoints\.[^#]{0,200}?\bopen\(": READS,
    r"^(?:shell|os\.\w+|shutil\.\w+|Path\(.*\)\.\w+)\(": "it makes files while it is read: the engine's own files are"
    " no files of the run",
    r"(?:singularity|container)\s*:\s*[\"'](?:docker|oras)": "it names images of registries: here they are vetted by"
    " digest",
    r"\bln -s|\bos\.symlink\(": "it makes symbolic links: what leaves a task's walls is plain files",
    r"\bworkflow\.cores\b": "it counts on the machine's cores: here no job knows them",
    r"\bsnakemake\s+-": "a job starts Snakemake itself: images hold tools, and the engine is no tool",
    r"\b(?:python3?|bash|sh|Rscript)\s+(?:-m\s|[\w./-]+\.(?:py|sh|R)\b)": UNDECLARED,
    r">>\s*[\w./-]+[\"']": UNDECLARED,
    r"[\"'][^\"'\n{}]*[%@][^\"'\n{}]*\.\w+[\"']": NAMES,
    r"^\s*pepfile\s*:": "pepfile: needs a package that the engine does not have",
    r"^(?:import|from) (?:pandas|numpy|peppy)": "it needs a Python package that the engine does not have",
}


def reason(case: Case) -> str | None:
    """Return why a blind engine cannot run `case`, or None if it can."""
    for word, value in case.asked.items():
        if word not in INDIFFERENT and not (word == "executor" and value == "local"):
            if word == "shellcmd":
                if (why := _shellcmd(str(value))) is not None:
                    return why
                continue
            return CALLS.get(word, f"it asks for {word}, which nobody may give here on the command line")
    if case.targets == ("...",) or ... in (case.asked.get("config"), case.asked.get("retries")):
        return "what it asks for is known only while the suite runs"
    if any("." in name for name in case.asked.get("until", ())):
        return "it asks for files until which to go: here rules are named"
    if any(not re.fullmatch(r"[\w./+=,-]+", target) for target in case.targets):
        return NAMES
    code = text_of(case)
    for refusal in REFUSALS.values():
        if _says(code, refusal):
            return str(refusal["why"])
    return next((why for pattern, why in CODE.items() if re.search(pattern, code, re.MULTILINE)), None)


def _shellcmd(command: str) -> str | None:
    words = shlex.split(command)[1:]
    odd = [
        word for word in words if word.startswith("-") and word not in FLAGS and not re.fullmatch("-[cj][0-9]+", word)
    ]
    if odd and odd[0] not in ("--until", "--retries", "--keep-going"):
        return f"it asks for {odd[0].split('=')[0]}, which nobody may give here on the command line"
    return "it uses the shell round Snakemake" if {">", "|", "&&"} & set(words) else None


def text_of(case: Case) -> str:
    """Return the text of the workflow and of all that it includes from its own folder, without comments."""
    seen: dict[Path, str] = {}
    waiting = [case.folder / case.snakefile]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen[path] = re.sub(r"(?m)^\s*#.*$", "", path.read_text(errors="replace"))
        named = re.findall(r"[\"']([\w./-]+)[\"']", seen[path])
        snakefiles = [
            name for name in named if re.search(r"\.smk$|\.rules$|(^|/)Snakefile[\w.]*$|\.snakefile$", name)
        ]
        waiting += [base / name for name in snakefiles for base in (path.parent, case.folder)]
    return "\n".join(seen.values())


def _says(code: str, refusal: dict[str, Any]) -> bool:
    if directive := refusal.get("directive"):
        return re.search(rf"^\s+{directive}\s*:", code, re.MULTILINE) is not None
    if directive := refusal.get("workflow_directive"):
        return re.search(rf"^{directive}\s*:", code, re.MULTILINE) is not None
    if flag := refusal.get("flag"):
        argument = r"[^()]*(?:sha256|md5|sha1)\s*=" if refusal.get("argument") else ""
        return re.search(rf"\b{flag}\({argument}", code) is not None
    if call := refusal.get("call"):
        return re.search(rf"\b{call}(?:\.\w+)?\(|^{call}\b.*:", code, re.MULTILINE) is not None
    names = "|".join(refusal["remote"])
    return re.search(
        rf"\b(?:{names})\s*:\s*[\"'](?:https?|git\+|v?\d+\.\d|0\.|master/|github)", code
    ) is not None or (re.search(r"\b(?:github|gitlab|gitfile)\(", code) is not None)
