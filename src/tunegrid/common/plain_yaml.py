"""Reading YAML as a plain tree of mappings, lists and scalars; everything else is refused with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import Reader, ReaderError

from tunegrid.common.errors import TuneGridError

MOST_BYTES = 1 << 20  # of a file
MOST_VALUES = 100_000  # keys, scalars, lists and mappings of a file, each alias counted as what it expands to
DEEPEST = 50  # lists and mappings inside each other, across aliases
MOST_DIGITS = 40  # of an integer; Python refuses to print one of thousands
_TAG = "tag:yaml.org,2002:"
_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map", "merge")


def read_yaml(path: Path) -> tuple[yaml.Node | None, Any]:
    """Reads the only document of a YAML file. Aliases and merge keys are allowed.

    Returns:
        The root node, which knows the lines, and its value: dictionaries with text as keys, lists and scalars.
        Both are None for an empty file.

    Raises:
        TuneGridError: the file cannot be read, is not valid YAML, is beyond one of the bounds above (checked before
            aliases are expanded), or holds what a plain tree cannot. The message names the file and the line.
    """
    text = _read_text(path)
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise TuneGridError(f"{path}, line {line}: {_control_character(chr(error.character))}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem
        if not isinstance(error, _NotPlain):
            problem = f"not valid YAML: {error.context}: {problem}" if error.context else f"not valid YAML: {problem}"
        if error.context_mark and error.context_mark.line != mark.line:
            problem += f" (begun on line {error.context_mark.line + 1})"
        raise TuneGridError(f"{path}, line {mark.line + 1}: {problem}") from None


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise TuneGridError(f"{path}: not a regular file. Every job reads it again, so copy its text to a file.")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise TuneGridError(f"{path}: no such file. The studies that come with the project are in config/.") from None
    except OSError as error:
        raise TuneGridError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise TuneGridError(f"{path}: the file is larger than {MOST_BYTES:,} bytes, the most that a study may have.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise TuneGridError(
            f"{path}, line {line}: not UTF-8 (byte {data[error.start]:#04x}). Save the file as UTF-8."
        ) from None


class _NotPlain(yaml.MarkedYAMLError):
    """Valid YAML that is no plain tree."""

    def __init__(self, problem: str, place: yaml.Node | yaml.Event) -> None:
        super().__init__(problem=problem, problem_mark=place.start_mark)


class _PlainLoader(yaml.SafeLoader):
    """Checks each node as soon as it is composed, so that nothing is built from a tree that is too large."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._anchors_around: list[str | None] = []  # of the nodes that are being composed
        self._sizes: dict[yaml.Node, tuple[int, int]] = {}  # node -> values and levels in it, across aliases
        self._values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        event = self.peek_event()
        alias = event.anchor if isinstance(event, yaml.AliasEvent) else None
        if alias and alias in self._anchors_around:
            raise _NotPlain(f"*{alias} stands inside &{alias} itself, so that it would have no end", event)
        self._anchors_around.append(None if alias else event.anchor)
        self._check_bounds(event, 0, 1)
        node = super().compose_node(parent, index)
        if not alias:
            _check_scalar(node) if isinstance(node, yaml.ScalarNode) else _check_keys(node)
            self._sizes[node] = self._size(node)
        self._check_bounds(event, *self._sizes[node] if alias else (1, 1))
        self._anchors_around.pop()
        return node

    def _check_bounds(self, event: yaml.Event, values: int, levels: int) -> None:
        """Counts values that are added at an event, and levels below it."""
        self._values += values
        if self._values > MOST_VALUES:
            raise _NotPlain(f"more than {MOST_VALUES:,} values, aliases expanded", event)
        if len(self._anchors_around) + levels - 1 > DEEPEST:
            raise _NotPlain(f"more than {DEEPEST} lists and mappings inside each other, aliases expanded", event)

    def _size(self, node: yaml.Node) -> tuple[int, int]:
        if isinstance(node, yaml.ScalarNode):
            return 1, 1
        pairs = node.value if isinstance(node, yaml.MappingNode) else [(item,) for item in node.value]
        sizes = [self._sizes[child] for pair in pairs for child in pair]
        return 1 + sum(values for values, _ in sizes), 1 + max((levels for _, levels in sizes), default=0)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (LookupError, ValueError):  # `!!int x`, `!!bool x`
            raise _NotPlain(f"{node.value!r:.80} is no {node.tag.removeprefix(_TAG)}", node) from None


def _check_scalar(node: yaml.ScalarNode) -> None:
    """Checks that a scalar means the same to every reader and can be printed."""
    kind, text = node.tag.removeprefix(_TAG), node.value
    if character := Reader.NON_PRINTABLE.search(text):
        raise _NotPlain(_control_character(character.group()), node)
    if kind == "timestamp":
        raise _NotPlain(f"YAML reads {text} as a date. Is it text? Write it in quotes", node)
    if kind not in _PLAIN:
        raise _NotPlain(
            f"not valid YAML in a study: {text!r:.80} with the tag {kind}. Is it text? Write it in quotes", node
        )
    if kind == "int" and len(text) > MOST_DIGITS:
        raise _NotPlain(f"an integer of {len(text):,} digits is too large", node)
    if kind in ("int", "float") and (":" in text or re.match(r"[-+]?0[0-9_]", text)):
        raise _NotPlain(f"YAML reads {text} as a number of base 8 or 60. Is it text? Write it in quotes", node)


def _check_keys(node: yaml.Node) -> None:
    """Checks the tag of a list or mapping, and that each key of a mapping is a text that stands there once."""
    if node.tag.removeprefix(_TAG) not in _PLAIN:
        raise _NotPlain(f"not valid YAML in a study: the tag {node.tag.removeprefix(_TAG)}. Leave it out", node)
    seen = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if not isinstance(key, yaml.ScalarNode):
            raise _NotPlain("not valid YAML in a study: a key has to be text, not a list or a mapping", key)
        if (kind := key.tag.removeprefix(_TAG)) not in ("str", "merge"):
            raise _NotPlain(f"YAML reads the key {key.value!r:.80} as {kind}, not as text. Write it in quotes", key)
        if key.value in seen:
            raise _NotPlain(f"the key {key.value!r:.80} stands here a second time", key)
        seen.add(key.value)


def _control_character(character: str) -> str:
    return f"the character U+{ord(character):04X} is not allowed: it is no text"
