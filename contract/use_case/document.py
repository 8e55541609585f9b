"""The text of a use case as plain values, and how each of them is written there.

YAML makes true of `yes` and a number of `12:30`. So what stands in the file is kept beside the
values, for errors to say it.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contract.errors import BadInput

KEY = "[key]"  # what pydantic calls the name of a member, where that is wrong
MOST_NODES = 1_000_000  # thousands of columns have some ten thousand
# PyYAML reads some 20,000 of what commas and lines part in a second, and a service waits for it.
MOST_PARTS, MOST_SIGNS = 200_000, 8_000_000
LONGEST_NUMBER = 400  # signs; YAML makes numbers to base 60 of 1:1:1, in the square of their length
MERGE = "tag:yaml.org,2002:merge"
Place = tuple[str, ...]

MENDS = {  # by a part of what PyYAML says
    "'\\t'": "a tab stands there, and YAML indents by spaces; put spaces in its place",
    "mapping values are not allowed": "a colon in a text needs quotes: write 'one: two'",
    "found another document": "a second one begins there with ---; one is needed",
}
MEND = "close what is open there, or quote it: write '…' around a text with signs of YAML in it"


@dataclass(frozen=True)
class Document:
    """The values of a file, and the words for which YAML read something else than text, by path."""

    values: dict[str, Any]
    words: Mapping[Place, str]

    def word(self, path: tuple[object, ...]) -> str:
        """How the value at a path is written where it is no text; "" where it is."""
        return self.words.get(tuple(map(str, path)), "")


def read_file(path: Path) -> str:
    """The text of a file; BadInput where it can't be read, or is no UTF-8."""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadInput(
            f"{path}, line {line}: the byte 0x{content[error.start]:02x} is no UTF-8; save the "
            "file in this encoding."
        ) from None


def read_document(text: str, name: str) -> Document:
    """The mapping in a text; BadInput names the place of what is no YAML, and a mend."""
    if len(text) > MOST_SIGNS or text.count(",") + text.count("\n") > MOST_PARTS:
        raise BadInput(f"{name}: it is far too large for a use case.")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node and _size(node, {}) > MOST_NODES:
            raise BadInput(f"{name}: with its anchors written out it is far too large.")
        values = loader.construct_document(node) if node else None
    except yaml.MarkedYAMLError as error:
        raise BadInput(_sentence(error, name)) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise BadInput(f"{name}, line {line}: a character stands there that no text has.") from None
    except RecursionError:
        raise BadInput(f"{name}: brackets or lines stand too deep in each other.") from None
    if node is None or not isinstance(values, dict):
        raise BadInput(f"{name} must hold a mapping of names to values.")
    return Document(values, dict(_words(node, ())))


def _sentence(error: yaml.MarkedYAMLError, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"{name}, line {mark.line + 1}" if mark else name
    problem = str(error.problem)
    if isinstance(error, _Wrong):
        return f"{place}: {problem}."
    mend = next((mend for part, mend in MENDS.items() if part in problem), MEND)
    return f"{place} is no readable YAML ({problem}): {mend}."


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes there are with each alias written out; a few lines may stand for billions."""
    if id(node) not in known:
        known[id(node)] = MOST_NODES  # of one that holds itself there is no end
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        inner = (n for part in parts for n in (part if isinstance(part, tuple) else (part,)))
        known[id(node)] = 1 + sum(_size(n, known) for n in inner)
    return known[id(node)]


def _words(node: yaml.Node, path: Place) -> Iterator[tuple[Place, str]]:
    """Every plain word of which YAML made something else than text, with its path."""
    if isinstance(node, yaml.ScalarNode) and not node.tag.endswith(":str"):
        yield path, node.value
    if isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            yield from _words(item, (*path, str(at)))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = yaml.SafeLoader("").construct_object(key)
            # pydantic calls the name false by its number.
            below = (*path, str(int(name) if isinstance(name, bool) else name))
            yield from (((*below, KEY), word) for _, word in _words(key, ()))
            yield from _words(value, below)


class _Wrong(yaml.constructor.ConstructorError):
    """YAML, but no use case: its problem is a sentence already."""


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses what is silently another thing than was written."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        plain = isinstance(node, yaml.ScalarNode) and not node.tag.endswith(":str")
        if plain and len(node.value) > LONGEST_NUMBER:
            said = f"a word of {len(node.value):,} signs is no number; quote it if a text is meant"
            raise _Wrong(None, None, said, node.start_mark)
        try:
            value = super().construct_object(node, deep=deep)
        except ValueError:  # 2013-02-30
            said = f"{node.value} is neither a day nor a number; quote it where a text is meant"
            raise _Wrong(None, None, said, node.start_mark) from None
        if isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value):
            # As JSON writes signs beyond its 16 bits, of which YAML reads each half by itself.
            said = "half a sign stands there (\\ud800 to \\udfff); write the sign itself"
            raise _Wrong(None, None, said, node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """YAML keeps the last of two values of one key."""
        lines: dict[object, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == MERGE:  # <<: *name, whose members others may stand beside
                continue
            key, mark = self.construct_object(key_node, deep=True), key_node.start_mark
            if not isinstance(key, Hashable):
                said = "a list or a mapping can't be a key; quote it where a text is meant"
                raise _Wrong(None, None, said, mark)
            if key in lines:
                said = f"the key {key!r} stands twice, in line {lines[key]} too"
                raise _Wrong(None, None, said, mark)
            lines[key] = mark.line + 1
        return super().construct_mapping(node, deep)
