"""Reads XML into a plain tree: no entity, no external part, bounded in depth and size."""

from dataclasses import dataclass, field
from xml.parsers import expat

from ..findings import Code, refuse

_MAX_NODES = 1_000_000
_MAX_DEPTH = 100


@dataclass(slots=True)
class Node:
    """One element; names are local, without namespace; `text` is what stands before its first child."""

    name: str
    attributes: dict[str, str]
    children: list["Node"] = field(default_factory=list)
    text: str = ""
    tail: str = ""

    def walk(self) -> "list[Node]":
        """Return this node and all below it in order."""
        nodes = [self]
        out: list[Node] = []
        while nodes:
            node = nodes.pop()
            out.append(node)
            nodes.extend(reversed(node.children))
        return out

    def named(self, *names: str) -> "list[Node]":
        """Return all nodes below of these names."""
        return [node for node in self.walk() if node.name in names]

    def words(self) -> str:
        """Return all text in order."""
        return "".join(self._pieces())

    def _pieces(self) -> list[str]:
        pieces = [self.text]
        for child in self.children:
            pieces += [*child._pieces(), child.tail]
        return pieces


@dataclass(frozen=True, slots=True)
class Document:
    """A tree with its comments and processing instructions."""

    root: Node
    comments: tuple[str, ...]


def local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition("}")[2].rpartition(":")[2]


class _Builder:
    def __init__(self) -> None:
        self.top = Node("", {})
        self.open = [self.top]
        self.comments: list[str] = []
        self.nodes = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.nodes += 1 + len(attributes) // 8
        if self.nodes > _MAX_NODES:
            raise refuse(Code.TOO_LARGE)
        if len(self.open) > _MAX_DEPTH:
            raise refuse(Code.TOO_DEEP)
        kept: dict[str, str] = {}
        for key, value in attributes.items():
            kept[key if local(key) in kept else local(key)] = value  # one name in two spaces hides nothing
        node = Node(local(name), kept)
        self.open[-1].children.append(node)
        self.open.append(node)

    def end(self, _name: str) -> None:
        self.open.pop()

    def text(self, data: str) -> None:
        node = self.open[-1]
        if node.children:
            node.children[-1].tail += data
        else:
            node.text += data

    def comment(self, data: str) -> None:
        self.comments.append(data)

    def instruction(self, target: str, data: str) -> None:
        self.comments.append(f"{target} {data}")

    def doctype(self, _name: str, _system: str | None, _public: str | None, internal: int) -> None:
        if internal:
            raise refuse(Code.ACTIVE_CONTENT)

    def entity(self, *_declared: object) -> None:
        raise refuse(Code.ACTIVE_CONTENT)

    def external(self, *_address: object) -> int:
        raise refuse(Code.ACTIVE_CONTENT)


def read(content: bytes) -> Document:
    """Return the tree; refuses entities (billion laughs, files of the host) and broken XML."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.CommentHandler = builder.comment
    parser.ProcessingInstructionHandler = builder.instruction
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.EntityDeclHandler = builder.entity
    parser.ExternalEntityRefHandler = builder.external
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise refuse(Code.BROKEN_FILE) from None
    return Document(builder.top.children[0], tuple(builder.comments))
