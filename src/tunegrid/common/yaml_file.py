"""Reading YAML so that an error can say in which file, on which line and at which key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Place, did_you_mean, problem_place
from tunegrid.common.plain_yaml import read_yaml

MOST_PROBLEMS = 20  # in one message
_TYPES = ("bool", "float", "int", "str")  # by which pydantic names the branches of a union


class KeyProblem(Exception):
    """A problem at a place of the configuration that only a check over several keys can see."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def require_known(place: Place, name: str, known: Iterable[str]) -> None:
    """Raises KeyProblem, with the closest name, if a name that stands at a place is not known."""
    if name not in known:
        raise KeyProblem(place, f"unknown: {name!r}. {did_you_mean(name, known)}")


class ConfigFile:
    """The merged values of one or several YAML files, and the line of each value."""

    def __init__(self, files: list[tuple[Path, yaml.Node, Any]]) -> None:
        self._files = files
        self.values: Any = {}
        for _, _, values in files:
            self.values = _merge(self.values, values)

    @classmethod
    def read(cls, paths: list[Path]) -> ConfigFile:
        """Reads the files; mappings of later ones are merged into earlier ones, everything else is replaced.

        Raises:
            TuneGridError: a file cannot be read as a plain tree (see `read_yaml`), or is no mapping.
        """
        files = []
        for path in paths:
            node, values = read_yaml(path)
            if not isinstance(values, dict):
                raise TuneGridError(f"{path}: a study is a mapping of keys to values; config/README.md lists the keys.")
            files.append((path, node, values))
        return cls(files)

    def key(self, place: Place) -> str:
        """The place as a person writes it: `overrides[2].training.learning_rate`."""
        text = ""
        for part in self._keys(place):
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
        return text.lstrip(".")

    def where(self, place: Place) -> str:
        """File, line and key of a place: of the last file that holds it, or else of its closest parent there."""
        place = self._keys(place)
        for length in range(len(place), -1, -1):
            for path, node, _ in reversed(self._files):
                if (holder := _find(node, place[:length])) is not None:
                    return ": ".join(filter(None, [f"{path}, line {holder.start_mark.line + 1}", self.key(place)]))
        raise AssertionError("the root of a file is always found")

    def explain(self, error: ValidationError) -> str:
        """The problems of a validation for a person, each on a line with its file, line and key."""
        messages: dict[str, str] = {}  # place -> the first problem there: a union has one for each of its types
        for problem in error.errors(include_url=False):
            if problem["type"] == "default_factory_not_called":
                continue  # a default that depends on other keys, one of which has a problem of its own
            place, message = problem_place(problem), problem["msg"]
            match problem["type"]:
                case "unknown_key":
                    pass
                case "missing":
                    message = "required, but not given"
                case "union_tag_invalid":
                    place, message = (*place, "kind"), _unknown(problem["ctx"]["tag"], problem["ctx"]["expected_tags"])
                case "union_tag_not_found":
                    place, message = (*place, "kind"), "required, but not given"
                case "literal_error":
                    message = _unknown(problem["input"], problem["ctx"]["expected"])
                case "string_pattern_mismatch":
                    message = f"not a valid name: {problem['input']!r}. Names: letters and digits, with . or - between"
                case "float_type" if _is_number(problem["input"]):
                    how = "a dot and a sign: 1.0e-4, 1.0e+4"
                    message = f"{problem['input']!r} is text to YAML, not a number. Write it with {how}"
                case "string_type" if isinstance(problem["input"], int | float):
                    message = f"YAML reads this as {problem['input']!r}, not as text. Write it in quotes"
                case _:
                    message = f"{message.removeprefix('Value error, ')} (found {problem['input']!r:.80})"
            messages.setdefault(self.where(tuple(part for part in place if part != "[key]")), message)
        lines = [f"{where}: {message}" for where, message in messages.items()]
        more = [f"… and {len(lines) - MOST_PROBLEMS} more"] if len(lines) > MOST_PROBLEMS else []
        return "\n".join(lines[:MOST_PROBLEMS] + more)

    def _keys(self, place: Place) -> Place:
        """The keys of a place, without the tags that pydantic inserts for the branch of a union."""
        keys, value = [], self.values
        for i, part in enumerate(place):
            if (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int)):
                value = value[part]
                keys.append(part)
            elif i == len(place) - 1 and isinstance(value, dict) and part not in (value.get("kind"), *_TYPES):
                keys.append(part)  # a key that is missing
        return tuple(keys)


def _unknown(given: object, expected: str) -> str:
    """A message about an unknown value; `expected` is pydantic's list of valid ones: 't5', 'flan-t5' or 'bart'."""
    valid = re.findall(r"'([^']*)'", expected)
    return f"unknown: {given!r}. {did_you_mean(given, valid)}"


def _is_number(value: object) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


def _merge(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: _merge(base.get(key), value) for key, value in over.items()}
    return over


def _find(node: yaml.Node | None, place: Place) -> yaml.Node | None:
    """The YAML node of the key at a place, which has the line of the key."""
    key_node = node
    for part in place:
        if isinstance(node, yaml.MappingNode):
            # A key of the mapping itself stands behind those that it merges.
            pairs = reversed(node.value)
            key_node, node = next(((key, value) for key, value in pairs if key.value == part), (None, None))
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            key_node = node = node.value[part]
        else:
            return None
        if key_node is None:
            return None
    return key_node
