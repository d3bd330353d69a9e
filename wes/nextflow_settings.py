"""Judges a workflow's configuration for Nextflow, setting by setting: what is used, and what comes of the rest."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from wes.lint import Finding
from wes.manifest import Manifest
from wes.nextflow_outline import NextflowOutline, Noted, Setting, Value

OWN_CONFIG = "nextflow.config"  # beside the manifest, and signed with it
INCLUDE = "includeConfig"
# Nextflow's own word for the profile of a run that names none, as ours do.
STANDARD = "profiles.standard."
# What a process may say of itself, and what comes of it here.
DIRECTIVES = {
    "storeDir": "directive-refused",
    "beforeScript": "directive-refused",
    "afterScript": "directive-refused",
    "module": "directive-refused",
    "secret": "directive-refused",
    "array": "directive-refused",
    "conda": "conda",
    "spack": "conda",
    "containerOptions": "container-options",
    "executor": "directive-ignored",
    "clusterOptions": "directive-ignored",
    "queue": "directive-ignored",
    "machineType": "directive-ignored",
    "pod": "directive-ignored",
    "scratch": "directive-ignored",
    "arch": "directive-ignored",
    "accelerator": "directive-ignored",
    "resourceLabels": "directive-ignored",
}
_RESOURCES = ("cpus", "memory", "disk", "time")
_RETRIES = ("errorStrategy", "maxRetries", "maxErrors")
# Where else tasks would run; wes.engines.nextflow puts them all off.
RUNTIMES = (
    *("apptainer", "charliecloud", "conda", "docker", "fusion"),
    *("podman", "sarus", "shifter", "singularity", "spack"),
)
_REPORTS = ("dag", "report", "timeline", "trace")
# As wes.engines.nextflow sets them after the workflow's own.
OVERRIDDEN = frozenset(
    [
        "workDir",
        "cleanup",
        "process.executor",
        "process.scratch",
        "process.cache",
        "executor.queueSize",
        "docker.registry",
    ]
) | {f"{scope}.enabled" for scope in (*RUNTIMES, *_REPORTS)}
_ELSEWHERE = ("aws", "azure", "google", "k8s", "tower", "wave", "lineage", "mail", "notification", "weblog")
_IGNORED = frozenset([*RUNTIMES, *_REPORTS, *_ELSEWHERE, "profiles", "executor", "nextflow", "dumpHashes"])
_REFUSED = frozenset(["plugins", "secrets", "bucketDir", "libDir", "resume"])
_FREE = frozenset(["params", "manifest", "env"])  # every name is one of theirs


@dataclass(frozen=True)
class Read:
    """The configuration that Nextflow reads: its files, and its settings, as if none were in a profile."""

    files: frozenset[str]
    settings: list[Setting]

    def says(self, name: str) -> list[Setting]:
        """Return each setting of a name, whomever it is for."""
        return [one for one in self.settings if one.name == name]


def read(outline: NextflowOutline) -> Read:
    """Return what Nextflow reads of an outline's configurations: its own, and what that includes."""
    includes = [one for one in outline.settings if one.name == INCLUDE]
    files = {OWN_CONFIG} & {*outline.configs}
    if files and any(one.value.literal is None for one in includes):
        files = {*outline.configs}  # whatever a computed name is
    while files != (more := files | {*outline.configs} & {_target(one) for one in includes if one.file in files}):
        files = more
    settings = [
        one.model_copy(update={"name": one.name.removeprefix(STANDARD), "known": one.known or one.name != plain})
        for one in outline.settings
        if one.file in files
        for plain in [one.name.removeprefix(STANDARD)]
    ]
    return Read(frozenset(files), settings)


def judge(outline: NextflowOutline, config: Read, manifest: Manifest | None) -> Iterator[Finding]:
    """Yield what there is to say of each configuration, and of each setting that is read."""
    for path in outline.configs:
        if path == OWN_CONFIG:
            yield Finding("config-own", path, 0, path)
        elif path not in config.files:
            yield Finding("config-unread", path, 0, path)
    for one in config.settings:
        if code := code_of(one, outline):
            yield Finding(code, one.file, one.line, _about(one))
        if one.name == "process.container" and manifest is not None and one.value.image not in manifest.images:
            yield Finding("image-unknown", one.file, one.line, one.value.text[:80])


def is_told(one: Setting, outline: NextflowOutline) -> bool:
    """Return whether what a setting names is judged with it."""
    return one.name in ("process.publishDir", "outputDir") or code_of(one, outline) is not None


def is_about(text: Noted, config: Read) -> bool:
    """Return whether a text is one of `manifest`: it says what a workflow is, and names nothing that is fetched."""
    if text.where != "config":
        return False
    above = [one for one in config.settings if one.file == text.file and one.line <= text.line]
    last = max(above, key=lambda one: one.line, default=None)
    return last is not None and last.name.startswith("manifest.")


def code_of(one: Setting, outline: NextflowOutline) -> str | None:
    """Return what comes of a setting; None if it is used."""
    scope, _, rest = one.name.partition(".")
    if one.name == INCLUDE:
        return _include(one, outline)
    if one.name == "process.cache" and one.value.value == "deep":
        return "directive-refused"
    if one.name in OVERRIDDEN:
        return "setting-overridden"
    if scope in _REFUSED:
        return "setting-refused"
    if scope in _IGNORED:
        return "setting-ignored"
    if scope == "env":
        return "setting-env"
    if scope == "process":
        directive = rest.partition(".")[0]
        if (code := computed(directive, one.value)) is not None:
            return code
        return DIRECTIVES.get(directive) or (None if one.known or directive == "ext" else "setting-unknown")
    return None if one.known or scope in _FREE else "setting-unknown"


def computed(directive: str, value: Value) -> str | None:
    """Return what comes of a directive whose value code makes, if anything."""
    if directive in _RESOURCES and value.kind == "closure":
        return "resources-computed"
    return "exit-codes" if directive in _RETRIES and "exitStatus" in value.text else None


def _include(one: Setting, outline: NextflowOutline) -> str | None:
    named = one.value.literal
    if named is None:
        return "include-computed"
    target = _target(one)
    if "://" in named or target.startswith(("/", "..")):
        return "remote-include"
    return None if target in outline.configs else "include-missing"


def _target(one: Setting) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(one.file), str(one.value.value)))


def _about(one: Setting) -> str:
    about = one.value.text if one.name == INCLUDE or one.name.startswith("plugins") else one.name
    return f"{one.selector} {about}".strip()[:80]
