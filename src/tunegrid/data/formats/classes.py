"""Columns of classes, whose numbers are indices into names that the data set declares (`ClassLabel` of the Hub)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tunegrid.data.formats.base import ClassIndex

Classes = dict[tuple[str, ...], tuple[str, ...]]  # path of a column -> names of its classes


def declared_classes(features: Any, path: tuple[str, ...] = ()) -> Classes:
    """The columns of classes among a data set's features, in the form that the Hub's library writes as JSON."""
    if not isinstance(features, Mapping):
        return {}
    if features.get("_type") == "ClassLabel":
        names = features.get("names")
        return {path: tuple(map(str, names))} if isinstance(names, list) else {}
    if "_type" in features:  # a list, of classes or of something else
        inner = features.get("feature")
        named = isinstance(inner, Mapping) and inner.get("_type") == "ClassLabel"
        return declared_classes(inner, path) if named else {}
    return {
        column: names
        for key, inner in features.items()
        for column, names in declared_classes(inner, (*path, key)).items()
    }


def classes_in_metadata(metadata: Mapping[bytes, bytes]) -> Classes:
    """The columns of classes that the library has noted in a Parquet file's own metadata."""
    try:
        return declared_classes(json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}


def mark_classes(values: dict[str, Any], classes: Classes) -> None:
    """Replaces the numbers and names of classes in a row by a `ClassIndex`."""
    for (*path, column), names in classes.items():
        inner: Any = values
        for key in path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or column not in inner:
            continue
        value = inner[column]
        inner[column] = [_marked(item, names) for item in value] if isinstance(value, list) else _marked(value, names)


def _marked(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        value = names.index(value) if value in names else int(value) if value.isascii() and value.isdigit() else value
    return ClassIndex(value, names) if isinstance(value, int) and not isinstance(value, bool) else value
