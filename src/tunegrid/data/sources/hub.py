"""Rows from a data set of the Hugging Face Hub (or a local folder in the Hub's layout)."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed
from tunegrid.common.hub.dataset_files import configured_files, is_slice
from tunegrid.common.hub.source import OnHub
from tunegrid.data.formats import RawRow
from tunegrid.data.sources.base import ReadSource, Split


class SplitNames(Closed):
    """The Hub's name for each split; `datasets`' slices work too: `train[:90%]`."""

    train: str = "train"
    validation: str | None = None
    test: str = "test"


class Fetched(NamedTuple):
    """A data set on this machine."""

    folder: Path
    commit: str | None  # None: a local folder of the user


class HubSource(OnHub, ReadSource):
    """A data set of the Hub, at a revision."""

    hub_kind: ClassVar = "data set"
    hub_key: ClassVar = "path"

    kind: Literal["hub"]
    path: str = Field(description="Id on the Hub (`rajpurkar/squad`), or a local folder in the Hub's layout.")
    name: str | None = Field(None, description="Configuration of the data set (`de-en`).")
    splits: SplitNames = Field(
        default_factory=SplitNames,
        description=(
            "The Hub's name for `train` (default: `train`), `validation` (default: none) and `test` (default:"
            " `test`). Slices such as `train[:90%]` work too; the `datasets` library then writes a copy of "
            "the split into its cache."
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

    def read(self, split: Split, task_kind: str) -> Iterator[RawRow] | None:
        name = getattr(self.splits, split)
        return None if name is None else self._rows(name)

    def _rows(self, name: str) -> Iterator[RawRow]:
        folder, where = self.fetched.folder, f"data set {self.path}"
        files = configured_files(folder, self.name, self._names(), where)
        import datasets

        number = 0
        try:
            # Streaming bounds the memory and writes no second copy to the disk. Only a slice (`train[:90%]`) needs the
            # library's own copy. A data set's script is never run.
            for values in datasets.load_dataset(
                str(folder),
                self.name,
                data_files=files,
                split=name,
                streaming=not is_slice(name),
                verification_mode="no_checks",  # of the README's sizes: downloads are checked by their hashes
            ):
                number += 1
                yield RawRow(values, f"{where}, split {name}, row {number}")
        except Exception as error:  # the library raises many unrelated types for what it cannot read
            raise TuneGridError(
                f"{where} (name {self.name}, split {name}), after row {number}: cannot be read: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _names(self) -> list[str]:
        return sorted(set(self.splits.model_dump(exclude_none=True).values()))

    def provenance(self) -> dict[str, Any]:
        if self.hub_id is None:
            return {}
        return {"id": self.path, "name": self.name, "revision": self.revision, "commit": self.fetched.commit}

    def describe(self) -> str:
        return " ".join(filter(None, ["Hub data set", self.path, self.name, self.revision and f"at {self.revision}"]))
