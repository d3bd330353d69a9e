"""Judges what a manifest says of commands against the workflow itself (T18)."""

from collections.abc import Iterator
from string import Formatter

from wes import drafts
from wes.commands import Free, Hole, Kind, ScriptCall, Shell, parse_commands, plain_hole
from wes.drafts import is_job
from wes.manifest import Manifest
from wes.outline import Argument, Outline, Rule

__all__ = ["against", "computed", "is_job", "unquoted"]
Place = tuple[str, str, int, str]
# How much each type lets in, for those that a draft could have written.
WIDTH = {Kind.CONFIG: 0, Kind.ENUM: 1, Kind.INTEGER: 2, Kind.NUMBER: 3}


def against(outline: Outline, manifest: Manifest) -> Iterator[Place]:
    """Yield code, file, line and name of each rule whose command in the manifest is not the workflow's."""
    if manifest.commands.rest is not None:
        yield "command-free", "manifest.yaml", 0, "all rules"
        return
    drafted = parse_commands(drafts.draft_commands(outline))
    for rule in outline.rules:
        if not is_job(rule) or rule.name in manifest.remote:
            continue
        said, own = manifest.commands.of(rule.name), drafted.of(rule.name)
        place = (rule.file, rule.line, rule.name)
        if isinstance(said, Shell | ScriptCall) and said.measured != ("benchmark" in rule.directives):
            yield "command-differs", *place
            continue
        match said, own:
            case None, _:
                yield "command-missing", *place
            case Free(), _:
                yield "command-free", *place
            case Shell(text=text), Shell(text=known) if text.strip() in (known.strip(), _written(rule)):
                yield from _wider(said, own, rule)
            case ScriptCall(path=path, digest=digest), ScriptCall() if (path, digest) == (own.path, own.digest):
                yield from _wider(said, own, rule)
            case ((Shell() | ScriptCall()), Free()):
                if not _is_about(said, rule):
                    yield "command-differs", *place
            case _:
                yield "command-differs", *place


def computed(rule: Rule, outline: Outline) -> list[str]:
    """Return what code makes for a command: holes without a type, or the command itself."""
    text = rule.first("shell")
    if text is not None and text.kind != "text":
        return [f"shell of {rule.name}"]
    return drafts.untyped(rule, outline)


def unquoted(rule: Rule, text: str, texts: frozenset[str]) -> list[str]:
    """Return the parameters, of those that are texts by pattern, that the command holds without quotes."""
    try:
        holes = [(name, how) for _, name, how, _ in Formatter().parse(text) if name]
    except ValueError:
        return []
    params = {f"params.{one.key}": one for one in rule.directives.get("params", ()) if one.key}
    found = []
    for name, how in holes:
        known = _config_of(name, params.get(name), rule)
        if known in texts and not (how or "").endswith("q"):
            found.append(known)
    return sorted(set(found))


def _config_of(name: str, source: Argument | None, rule: Rule) -> str:
    if source is not None:
        return str(source.value) if source.kind == "config" else ""
    said = plain_hole(name)
    # Of a module's configuration nothing is a parameter by its own name.
    return said.config if said is not None and not rule.config else ""


def _is_about(said: Shell | ScriptCall, rule: Rule) -> bool:
    """Return whether a hand-written command is the rule's own text, only with types that a draft cannot know."""
    if isinstance(said, ScriptCall):
        return [(said.path, said.digest)] == [(one.path, one.digest) for one in rule.scripts]
    text = rule.first("shell")
    return text is not None and text.kind == "text" and said.text.strip() in _spellings(str(text.value), rule)


def _written(rule: Rule) -> str:
    text = rule.first("shell")
    return "" if text is None else str(text.value).strip()


def _spellings(text: str, rule: Rule) -> tuple[str, str]:
    return text.strip(), drafts.spelled(text, rule).strip()


def _wider(said: Shell | ScriptCall, own: Shell | ScriptCall, rule: Rule) -> Iterator[Place]:
    mine, drafted = _holes(said), _holes(own)
    for name, hole in mine.items():
        known = drafted.get(name)
        if known is not None and _is_wider(hole, known):
            yield "hole-wider", rule.file, rule.line, f"{rule.name}: {name}"


def _holes(command: Shell | ScriptCall) -> dict[str, Hole]:
    if isinstance(command, ScriptCall):
        return dict(command.holes)
    return {part.name: part for part in command.parts if isinstance(part, Hole)}


def _is_wider(hole: Hole, known: Hole) -> bool:
    if hole.kind is known.kind:
        return not set(hole.values) <= set(known.values) or hole.config != known.config
    return WIDTH.get(hole.kind, 9) > WIDTH.get(known.kind, 9)
