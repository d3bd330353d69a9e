"""Tells the catalogue's vetted workflows in the words of GA4GH TRS: tools, versions, files."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from strongroom.errors import BadRequest, NotFound
from strongroom.folders import listing
from strongroom.settings import Settings
from wes import catalogue
from wes.catalogue import Vetted
from wes.manifest import NAME, VERSION
from wes.trs_schemas import Checksum, DescriptorType, FileWrapper, ImageData, Tool, ToolClass, ToolFile, ToolVersion
from wes.vetting import NotVetted

BASE = "/ga4gh/trs/v2"
WORKFLOW = ToolClass(id="workflow", name="Workflow", description="A vetted workflow, which may run here by WES.")
TYPES: Mapping[str, DescriptorType] = {"snakemake": "SMK", "nextflow": "NFL"}
_CONTAINERFILE = re.compile(r"(?:.*/)?(?:Containerfile|Dockerfile)(?:\..+)?")
_SECONDARY = {"SMK": (".smk", "Snakefile"), "NFL": (".nf", ".config")}


@dataclass(frozen=True)
class Filters:
    """What GET /tools may ask for; empty asks for nothing."""

    id: str = ""
    alias: str = ""
    tool_class: str = ""
    descriptor_type: str = ""
    registry: str = ""
    organization: str = ""
    name: str = ""
    toolname: str = ""
    description: str = ""
    author: str = ""
    checker: bool = False


@dataclass(frozen=True)
class File:
    """A file of a version, its content read when it is asked for."""

    told: ToolFile
    path: Path


def tools(settings: Settings, filters: Filters) -> list[Tool]:
    """Return the tools that fit, by id; only vetted versions are told of."""
    return [tool for tool in _tools(settings) if _fits(tool, filters)]


def tool(settings: Settings, name: str) -> Tool:
    """Return one tool, or raise `NotFound`."""
    for found in _tools(settings, only=name):
        return found
    raise NotFound("There is no such tool here.")


def vetted(settings: Settings, name: str, version: str) -> Vetted:
    """Return a vetted version; what is unknown, unvetted or revoked is not found, all alike."""
    if not NAME.fullmatch(name) or not VERSION.fullmatch(version):
        raise NotFound("There is no such version of a tool here.")
    try:
        return catalogue.load(settings, name, version)
    except (NotVetted, BadRequest) as error:
        raise NotFound("There is no such version of a tool here.") from error


def version_of(settings: Settings, found: Vetted) -> ToolVersion:
    """Return a version as TRS has it."""
    said = found.statement
    return ToolVersion(
        id=said.version,
        url=f"{_url(settings, said.workflow)}/versions/{said.version}",
        name=said.version,
        author=[found.manifest.author] if found.manifest.author else [],
        images=[
            ImageData(image_name=name, checksum=[Checksum(checksum=digest.removeprefix("sha256:"))])
            for name, digest in sorted(said.images.items())
        ],
        descriptor_type=[TYPES[found.manifest.engine]],
        containerfile=any(one.told.file_type == "CONTAINERFILE" for one in files(found)),
        meta_version=said.digest,
        verified_source=[f"{settings.vetting.signatures} vetters of this Strongroom"],
    )


def check_type(found: Vetted, kind: str) -> tuple[str, bool]:
    """Return the descriptor type, and whether the bare file is asked for (PLAIN_…); raise `NotFound` for others."""
    plain = kind.startswith("PLAIN_")
    if kind.removeprefix("PLAIN_") != TYPES[found.manifest.engine]:
        raise NotFound("This version has no descriptor of this type.")
    return kind.removeprefix("PLAIN_"), plain


def files(found: Vetted) -> list[File]:
    """Return every file of a version, by path."""
    return [
        File(
            ToolFile(
                path=str(row["path"]),
                file_type=_file_type(str(row["path"]), found),
                checksum=Checksum(checksum=str(row["sha256"])),
            ),
            found.folder / str(row["path"]),
        )
        for row in listing(found.folder)
    ]


def file(found: Vetted, path: str) -> File:
    """Return one file by exactly its path; nothing is looked for on the disk."""
    for one in files(found):
        if one.told.path == path:
            return one
    raise NotFound("This version has no such file.")


def wrapped(settings: Settings, found: Vetted, one: File) -> FileWrapper:
    """Return a file as TRS wraps it."""
    said = found.statement
    place = f"{_url(settings, said.workflow)}/versions/{said.version}/PLAIN_{TYPES[found.manifest.engine]}"
    try:
        content = one.path.read_bytes().decode()
    except UnicodeDecodeError:
        content = None
    return FileWrapper(
        content=content, checksum=[one.told.checksum], url=f"{place}/descriptor/{quote(one.told.path)}"
    )


def _tools(settings: Settings, *, only: str = "") -> Iterator[Tool]:
    by_name: dict[str, list[Vetted]] = {}
    for one in catalogue.listed(settings):
        if one.vetted and only in ("", one.name):
            try:
                by_name.setdefault(one.name, []).append(catalogue.load(settings, one.name, one.version))
            except (NotVetted, BadRequest):
                continue  # a task profile, or a version that was revoked this moment
    for name, versions in sorted(by_name.items()):
        versions.sort(key=lambda one: tuple(map(int, one.statement.version.split("."))), reverse=True)
        newest = versions[0]
        yield Tool(
            id=name,
            url=_url(settings, name),
            organization="Strongroom",
            name=name,
            toolclass=WORKFLOW,
            description=newest.manifest.title,
            meta_version=newest.statement.version,
            versions=[version_of(settings, one) for one in versions],
        )


def _fits(found: Tool, asked: Filters) -> bool:
    authors = {author for one in found.versions for author in one.author}
    images = {image.image_name for one in found.versions for image in one.images}
    kinds: set[str] = {kind for one in found.versions for kind in one.descriptor_type}
    exact = (
        (asked.id, {found.id}),
        (asked.alias, set[str]()),
        (asked.tool_class.lower(), {found.toolclass.id, found.toolclass.name.lower()}),
        (asked.descriptor_type, kinds),
        (asked.registry, set[str]()),
        (asked.organization, {found.organization}),
        (asked.name, images | {found.name}),
        (asked.toolname, {found.name}),
        (asked.author, authors),
    )
    inside = asked.description.lower() in found.description.lower()
    return all(not wanted or wanted in known for wanted, known in exact) and inside and not asked.checker


def _file_type(path: str, found: Vetted) -> str:
    if path == found.manifest.entry:
        return "PRIMARY_DESCRIPTOR"
    if _CONTAINERFILE.fullmatch(path):
        return "CONTAINERFILE"
    if path.startswith("tests/") and path.endswith(".json"):
        return "TEST_FILE"
    return "SECONDARY_DESCRIPTOR" if path.endswith(_SECONDARY[TYPES[found.manifest.engine]]) else "OTHER"


def _url(settings: Settings, name: str) -> str:
    return f"{settings.base_url}{BASE}/tools/{name}"
