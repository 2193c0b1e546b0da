"""Rows from a data set of the Hugging Face Hub (or a local folder in the Hub's layout)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tunegrid.errors import TuneGridError
from tunegrid.settings import Closed
from tunegrid.sources.base import RawRow, ReadSource, Split


class SplitNames(Closed):
    """The Hub's name for each split; `datasets`' slices work too: `train[:90%]`."""

    train: str = "train"
    validation: str | None = None
    test: str = "test"


class HubSource(ReadSource):
    """A data set of the Hub, at a revision."""

    kind: Literal["hub"]
    path: str = Field(description="Id on the Hub (`rajpurkar/squad`), or a local folder in the Hub's layout.")
    name: str | None = Field(None, description="Configuration of the data set (`de-en`).")
    revision: str | None = Field(None, description="Commit, tag or branch; none: the default branch.")
    splits: SplitNames = Field(default_factory=SplitNames)

    def read(self, split: Split, task_kind: str) -> Iterator[RawRow] | None:
        name = getattr(self.splits, split)
        if name is None:
            return None
        import datasets

        # `trust_remote_code` is never given: a data set that needs its own script is refused by the library.
        try:
            dataset = datasets.load_dataset(self.path, self.name, split=name, revision=self.revision)
        except Exception as error:  # the library raises many unrelated types for "cannot be had"
            raise TuneGridError(
                f"data set {self.path} (name {self.name}, split {name}, revision {self.revision or 'default'}): "
                f"cannot be loaded: {type(error).__name__}: {error}. Check the names, the network and, for a gated "
                "data set, the HF_TOKEN environment variable."
            ) from error
        return (
            RawRow(values, f"data set {self.path}, split {name}, row {number}")
            for number, values in enumerate(dataset, start=1)
        )

    def provenance(self) -> dict[str, Any]:
        if Path(self.path).is_dir():
            return {"revision": None}
        from huggingface_hub import HfApi

        try:
            return {"revision": HfApi().dataset_info(self.path, revision=self.revision).sha}
        except Exception:  # the rows may have come from the library's cache, without a network
            return {"revision": self.revision}

    def describe(self) -> str:
        return " ".join(filter(None, ["Hub data set", self.path, self.name, self.revision and f"at {self.revision}"]))
