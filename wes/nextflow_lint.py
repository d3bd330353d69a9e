"""Judges a Nextflow workflow by its outline and manifest: pure rules, each with a code of `wes.lint_table`."""

import re
from collections.abc import Iterator, Mapping

from wes import (
    nextflow_content,
    nextflow_contract,
    nextflow_files,
    nextflow_options,
    nextflow_published,
    nextflow_scripts,
    nextflow_settings,
    sheets,
)
from wes.draft_manifest import OURS
from wes.lint import Finding
from wes.manifest import Manifest
from wes.nextflow_commands import is_obeyed
from wes.nextflow_content import REMOTE
from wes.nextflow_outline import Include, NextflowOutline, Noted, Process, Said
from wes.nextflow_settings import DIRECTIVES
from wes.sheets import READS

# Plain names and patterns of them; absolute ones, and those with a dot before them, are judged for themselves.
_NAMES = re.compile(r"[A-Za-z0-9._+=,*?!\[\]{}/-]*")
OUTPUTS = frozenset({"stdout", "env", "eval"})
HOOKS = re.compile(r"workflow\.(onComplete|onError)|sendMail")
STARTS = re.compile(
    r"(?:.*\.)?execute|.*Runtime\.getRuntime.*|new (?:java\.lang\.)?ProcessBuilder|.*\.exec|.*ProcessBuilder\..*",
    re.DOTALL,
)
EVALUATES = re.compile(
    r"evaluate|Eval\..*|"
    r"new (?:groovy\.\w+\.)?(?:GroovyShell|GroovyClassLoader|GroovyScriptEngine|SimpleTemplateEngine)|"
    r".*\.(?:evaluate|parseClass|loadClass|invokeMethod|forName|setAccessible)|(?:.*\.)?\(computed\)",
    re.DOTALL,
)
NETWORK = re.compile(
    r"[Cc]hannel\.(?:fromSRA|fromQuery|fromLineage)|new (?:java\.net\.)?(?:URL|URI|Socket|ServerSocket)|"
    r"new (?:groovyx\.net\.http\.)?\w*(?:HTTP|Http)\w*|.*\.(?:toURL|openConnection|openStream)",
    re.DOTALL,
)
WRITES = re.compile(
    r"(?:.*\.)?collectFile|.*\.(?:copyTo|moveTo|mklink|setText|setBytes|withWriter|newWriter|newOutputStream)|"
    r"new (?:java\.\w+\.)?(?:FileWriter|FileOutputStream|PrintWriter)|"
    r"(?:java\.nio\.file\.)?Files\.(?:write\w*|copy|move|delete\w*|create\w*|newBufferedWriter|newOutputStream)",
    re.DOTALL,
)
# What belongs to the host that an engine is on, and to no run.
HOST = re.compile(
    r"(?:java\.lang\.)?System\.(?:getenv|getProperty|getProperties|setProperty)|new (?:java\.io\.)?File|"
    r"(?:java\.net\.)?InetAddress\..*|.*\.(?:renameTo|deleteDir|listFiles|eachFile\w*)",
    re.DOTALL,
)
# A file of the vetted folder, read at once: the engine has it as it is.
_OWN_FILE = re.compile(
    r"(?:this\.file|(?:[Cc]hannel\.fromPath)|new (?:java\.io\.)?File)\((?:\[[^\[\]]*\], )?"
    r"\$\{?(?:workflow\.)?(?:projectDir|baseDir)\}?/(?!\S*\.\.)[A-Za-z0-9._/-]+\)(?:\.\w+(?:\(.*)?)?",
    re.DOTALL,
)
ENDLESS = re.compile(r"[Cc]hannel\.(?:watchPath|interval)")
FETCHES = re.compile(r"@(?:groovy\.lang\.)?Grab\w*|(?:groovy\.grape\.)?Grape\.grab|addPlugin")
TRANSFORMS = re.compile(r"@(?:groovy\.transform\.)?(?:ASTTest|AnnotationCollector|TypeChecked|CompileStatic)")


def lint(outline: NextflowOutline, manifest: Manifest | None, images: Mapping[str, str]) -> list[Finding]:
    """Return every finding, by file and line; `images` are the names that this host has a digest for."""
    outline = nextflow_files.with_slots(outline, nextflow_files.slots_of(manifest))
    config = nextflow_settings.read(outline)
    unread = {*outline.configs} - config.files
    published = nextflow_published.published(outline, config.settings)
    found = [
        Finding("unreadable", one.file, one.line, one.message) for one in outline.errors if one.file not in unread
    ]
    for include in outline.includes:
        found += _include(include)
    for path in outline.code:
        found.append(Finding("code-compiled" if path.endswith(".jar") else "code-beside", path, 0, path))
    for program in outline.programs:
        found += nextflow_content.judge_program(program)
    found += nextflow_settings.judge(outline, config, manifest)
    told = {(one.file, one.line) for one in config.settings if nextflow_settings.is_told(one, outline)}
    for call in outline.calls:
        if call.file not in unread:
            found += _call(call)
    found += [Finding("clear-needed", *one) for one in sheets.ungranted(outline, manifest) if one[0] not in unread]
    for text in outline.texts:
        # What directives, outputs and settings name is judged with them.
        is_told = (text.file, text.line) in told or nextflow_settings.is_about(text, config)
        if text.where != "process" and text.file not in unread and not is_told:
            found += _text(text)
    found += nextflow_contract.places(outline, published)
    known = nextflow_options.known_of(outline)
    for process in outline.processes:
        found += _process(process)
        found += _named_by_values(process, outline, known)
        found += nextflow_scripts.judge(process, manifest, outline, known)
    if manifest is not None:
        names = manifest.images
        found += [Finding("image-without-digest", "manifest.yaml", 0, name) for name in names if name not in images]
        found += (one for one in _parameters(outline, manifest) if one.file not in unread)
        found += nextflow_contract.compare(outline, published, manifest)
    found += _images(outline, config, manifest)
    return sorted(set(found), key=lambda one: (one.file, one.line, one.code, one.about))


def _include(one: Include) -> Iterator[Finding]:
    if one.source.startswith(("./", "../", "$projectDir/")):
        if one.target is None:
            yield Finding("include-missing", one.file, one.line, one.source[:80])
    else:
        # Whatever else there is comes from a registry, a repository or another place of the host.
        yield Finding("remote-include", one.file, one.line, one.source[:80])


def _call(call: Noted) -> Iterator[Finding]:
    def found(code: str) -> Finding:
        return Finding(code, call.file, call.line, call.name[-80:])

    if HOOKS.fullmatch(call.name):
        yield found("hook-prints" if call.prints else "hook")
    elif FETCHES.fullmatch(call.name):
        yield found("remote-include")
    elif TRANSFORMS.fullmatch(call.name):
        yield found("engine-eval")
    elif NETWORK.fullmatch(call.name):
        yield found("engine-network")
    elif WRITES.fullmatch(call.name):
        yield found("engine-writes")
    elif ENDLESS.fullmatch(call.name):
        yield found("channel-endless")
    elif STARTS.fullmatch(call.name):
        yield found("engine-process")
    elif EVALUATES.fullmatch(call.name):
        yield found("engine-eval")
    elif READS.fullmatch(call.name) and (call.slots or not _OWN_FILE.fullmatch(call.text)):
        yield found("engine-reads")
    elif HOST.fullmatch(call.name) and not _OWN_FILE.fullmatch(call.text):
        yield found("engine-host")


def _text(text: Noted) -> Iterator[Finding]:
    if REMOTE.match(text.name):
        yield Finding("remote-file", text.file, text.line, text.name[:80])
    elif re.match(r"/(?!run/workflow/)[A-Za-z0-9]", text.name) and "\n" not in text.name:
        yield Finding("absolute-path", text.file, text.line, text.name[:80])


def _process(process: Process) -> Iterator[Finding]:
    said = [*_directives(process), *_taken(process), *_made(process)]
    if process.kind == "exec":
        said.append(("exec-block", process.line, "exec"))
    for code, line, about in said:
        yield Finding(code, process.file, line or process.line, f"{process.name}: {about}"[:200])


def _directives(process: Process) -> Iterator[tuple[str, int, str]]:
    for one in process.directives:
        if code := DIRECTIVES.get(one.name):
            yield code, one.line, one.name
        if one.name == "cache" and one.value is not None and one.value.value == "deep":
            yield "directive-refused", one.line, "cache 'deep'"
        if one.value is not None and (code := nextflow_settings.computed(one.name, one.value)) is not None:
            yield code, one.line, one.name


def _taken(process: Process) -> Iterator[tuple[str, int, str]]:
    for one in process.takes():
        if one.name == "env" and is_obeyed(one.word or ""):
            yield "input-unfit", one.line, f"env {one.word}"
        elif one.name in ("path", "file"):
            yield from (("name-unfit", one.line, name) for name in _unfit_names(one))


def _made(process: Process) -> Iterator[tuple[str, int, str]]:
    for one in process.makes():
        if one.name in OUTPUTS:
            yield "output-to-engine", one.line, one.name
        elif one.name in ("path", "file"):
            yield from (("output-unfit", one.line, why) for why in _unfit(one))
            yield from (("name-unfit", one.line, name) for name in _unfit_names(one))
    if not process.outputs and process.kind != "exec":
        yield "output-none", process.line, "no output:"


def _unfit_names(said: Said) -> Iterator[str]:
    """Yield the literal names of an input or output that no file of a run has."""
    for value in (said.value, said.named.get("stageAs"), said.named.get("name")):
        if value is not None and value.literal is not None and not _NAMES.fullmatch(value.literal):
            yield value.literal[:80]


def _named_by_values(process: Process, outline: NextflowOutline, known: nextflow_options.Known) -> Iterator[Finding]:
    """Yield the outputs whose names stand on a value that no name of a file can have."""
    values = {
        name: one.texts for run in outline.names_of(process) for name, one in known.nothings.get(run, {}).items()
    }
    for output in process.makes():
        shown = str(output.value.value) if output.value is not None and output.value.kind == "template" else ""
        for name, texts in values.items():
            for text in texts:
                if (made := shown.replace(f"${{{name}}}", text)) != shown and not _NAMES.fullmatch(text):
                    yield Finding("name-of-value", process.file, output.line, f"{process.name}: {made}"[:80])


def _unfit(output: Said) -> Iterator[str]:
    text = str(output.value.value) if output.value is not None and output.value.value is not None else ""
    text = text.removeprefix("./")
    if text.startswith("/") or any(part.startswith(".") for part in text.split("/")):
        yield text[:80]
    hidden = output.named.get("hidden")
    if hidden is not None and hidden.value is not False:
        yield f"hidden: {hidden.text}"[:80]  # files with a dot before their name are never taken


def _images(outline: NextflowOutline, config: nextflow_settings.Read, manifest: Manifest | None) -> Iterator[Finding]:
    selectors = {one.selector for one in config.says("process.container")}
    alone = manifest is not None and len(manifest.images) == 1  # then it is every process's that names none
    for process in outline.processes:
        said = process.all_of("container")
        mine = {one for one in selectors if nextflow_published.is_selected(one, process, outline)}
        if not said and process.kind != "exec" and not mine and not alone:
            yield Finding("image-none", process.file, process.line, process.name)
        for one in said if mine <= {""} else ():  # a selector's word counts more than the process's own
            name = one.value.image if one.value is not None else None
            if manifest is not None and name not in manifest.images:
                yield Finding("image-unknown", process.file, one.line, (one.value.text if one.value else "")[:80])


def _parameters(outline: NextflowOutline, manifest: Manifest) -> Iterator[Finding]:
    known = {*(manifest.parameters.get("properties") or {}), *OURS}
    slots = {slot.name for slot in manifest.slots}
    for one in outline.params:
        first, _, rest = one.name.partition(".")
        is_slot = first != "inputs" or not rest or rest.split(".")[0] in slots
        if first not in known or not is_slot:
            yield Finding("parameter-undeclared", one.file, one.line, one.name[:80])
