"""Rows from a data set of the Hugging Face Hub (or a local folder in the Hub's layout)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed, Text, Word, did_you_mean
from tunegrid.common.hub.dataset_files import Layout, is_slice, read_layout, split_names
from tunegrid.common.hub.source import OnHub
from tunegrid.data.formats import RawRow, read_rows
from tunegrid.data.formats.classes import declared_classes, mark_classes
from tunegrid.data.sources.base import ReadSource, Split


class SplitNames(Closed):
    """The Hub's name for each split; `datasets`' slices work too: `train[:90%]`."""

    train: Text = "train"
    validation: Text | None = None
    test: Text = "test"


class Fetched(NamedTuple):
    """A data set on this machine."""

    folder: Path
    commit: str | None  # None: a local folder of the user


class HubSource(OnHub, ReadSource):
    """A data set of the Hub, at a revision."""

    hub_kind: ClassVar = "data set"
    hub_key: ClassVar = "path"

    kind: Literal["hub"]
    path: Text = Field(description="Id on the Hub (`rajpurkar/squad`), or a local folder in the Hub's layout.")
    name: Word | None = Field(None, description="Configuration of the data set (`de-en`).")
    splits: SplitNames = Field(
        default_factory=SplitNames,
        description=(
            "The Hub's name for `train` (default: `train`), `validation` (default: none) and `test` (default:"
            " `test`). Slices such as `train[:90%]` and sums of splits work too."
        ),
    )

    @property
    def hub_id(self) -> str | None:
        return None if Path(self.path).is_dir() else self.path

    @cached_property
    def fetched(self) -> Fetched:
        """The data set on this machine; the first access downloads it, so that all splits are of one commit."""
        if self.hub_id is None:
            return Fetched(Path(self.path), None)
        from tunegrid.common.hub import download

        commit = self.commit or download.resolve("data set", self.path, self.revision)
        return Fetched(download.download_dataset(self.path, commit, self.name, self._names()), commit)

    @cached_property
    def layout(self) -> Layout:
        """The files of each of the data set's splits."""
        return read_layout(self.fetched.folder, self.name, self._names(), self._where)

    def read(self, split: Split, task_kind: str) -> Iterator[RawRow] | None:
        name = getattr(self.splits, split)
        return None if name is None else self._rows(name)

    def _rows(self, name: str) -> Iterator[RawRow]:
        if not is_slice(name):
            yield from self._whole_split(name)
            return
        import datasets

        try:
            counts = {split: sum(1 for _ in self._whole_split(split)) for split in sorted(split_names(name))}
            parts = datasets.ReadInstruction.from_spec(name).to_absolute(counts)
        except (ValueError, AssertionError) as error:
            raise TuneGridError(f"{self._where}: split {name!r}: {error}") from None
        for part in parts:
            yield from islice(self._whole_split(part.splitname), part.from_, part.to)

    def _whole_split(self, split: str) -> Iterator[RawRow]:
        """The rows of the files of a split. They are read as those of `kind: files`, and a script is never run."""
        files = self.layout.files
        if not files.get(split):
            raise TuneGridError(f"{self._where}: has no split {split!r}. {did_you_mean(split, files)}")
        classes = declared_classes(self.layout.features)
        for file in files[split]:
            # For messages, the file's name in the data set, not in the cache.
            own = f"{self._where}, {os.path.relpath(file, self.fetched.folder)}"
            try:
                for row in read_rows(file, self.layout.separator):
                    mark_classes(row.values, classes)
                    yield replace(row, where=row.where.replace(str(file), own))
            except TuneGridError as error:
                raise TuneGridError(str(error).replace(str(file), own)) from None

    @property
    def _where(self) -> str:
        return f"data set {self.path}"

    def test_only(self) -> HubSource:
        test = self.splits.test
        return self.model_copy(update={"splits": SplitNames(train=test, validation=None, test=test)})

    def _names(self) -> list[str]:
        return sorted(set(self.splits.model_dump(exclude_none=True).values()))

    def provenance(self) -> dict[str, Any]:
        if self.hub_id is None:
            return {}
        return {"id": self.path, "name": self.name, "revision": self.revision, "commit": self.fetched.commit}

    def describe(self) -> str:
        return " ".join(filter(None, ["Hub data set", self.path, self.name, self.revision and f"at {self.revision}"]))
