"""Follows a channel of a Nextflow workflow to the outputs of processes that it stands on."""

from collections.abc import Mapping
from dataclasses import dataclass

from wes.nextflow_outline import Channel, NextflowOutline, Process, Said, Workflow

FURTHEST = 10_000
_VALUES = frozenset({"Channel", "channel", "params", "file", "files", "tuple"})  # they hold no output of a process
Named = Mapping[tuple[str, str], Process | Workflow]


@dataclass(frozen=True)
class Source:
    """An output whose files a channel holds."""

    process: Process
    output: Said


def names(outline: NextflowOutline) -> Named:
    """Return the processes and workflows of an outline, by the file and the name under which it calls them."""
    own: dict[tuple[str, str], Process | Workflow] = {(one.file, one.name): one for one in outline.workflows}
    own |= {(one.file, one.name): one for one in outline.processes}
    included = {
        (one.file, new): own[one.target, old]
        for one in outline.includes
        if one.target is not None
        for old, new in one.names
        if (one.target, old) in own
    }
    return included | own


def follow(channel: Channel, workflow: Workflow, named: Named) -> list[Source] | None:
    """Return the outputs that a channel of a workflow stands on; None if one of its sources is not known."""
    found: list[Source] = []
    waiting = [(source, workflow) for source in channel.sources]
    seen: set[tuple[str, str, str]] = set()
    while waiting:
        source, where = waiting.pop()
        place = (where.file, where.name, source)
        if place in seen:
            continue
        seen.add(place)
        name, _, rest = source.partition(".")
        which = rest.removeprefix("out").removeprefix(".")
        called = named.get((where.file, name))
        channels = [one for one in where.named if one.name == name]
        if isinstance(called, Process):
            outputs = [one for n, one in enumerate(called.outputs) if not which or which in (str(n), _emit(one))]
            found += [Source(called, one) for one in outputs]
        elif isinstance(called, Workflow):
            emitted = [one for n, one in enumerate(called.emits) if not which or which in (str(n), one.name)]
            waiting += [(below, called) for one in emitted for below in one.sources]
        elif channels:
            waiting += [(below, where) for one in channels for below in one.sources]
        elif name not in _VALUES:
            return None
        if len(seen) > FURTHEST:
            return None
    return found


def _emit(output: Said) -> str:
    said = output.named.get("emit")
    return "" if said is None else said.literal or said.text
