"""Where a pretrained model comes from, other than the pipeline itself: the Hub, or a local folder in its layout."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed, Text, Title, Word
from tunegrid.common.hub.source import OnHub
from tunegrid.models.checkpoint import check_checkpoint
from tunegrid.models.shape import known_config

if TYPE_CHECKING:
    from tunegrid.models.families import Family

# Weights as safetensors only: a pickle from outside can run code.
WANTED = ("*.json", "*.safetensors", "*.model", "*.txt")


class ModelSource(Closed):
    """Where a model comes from. A new kind is a subclass, named in `models.MODEL_SOURCES`."""

    licence: Title = Field("not stated", description="The model's licence, as the report prints it.")
    families: ClassVar[tuple[str, ...] | None] = None  # the families that it can make; None: any

    def fetch(self, folder: Path) -> dict[str, Any]:
        """Puts a checkpoint in the Hub's layout into a folder; returns what was resolved, for the model's card.

        Raises:
            TuneGridError: it cannot be had.
        """
        raise NotImplementedError

    def files(self) -> list[Path]:
        """The local files that the model depends on."""
        return []

    def check(self) -> None:
        """Checks the local files, without loading anything. Raises TuneGridError if they are no usable checkpoint."""

    def known_config(self, family: Family) -> dict[str, Any] | None:
        """What matters of the model's config.json, where it is known before the model is there; else None."""
        return None

    def describe(self) -> str:
        """One line for the report and the model card: what and where from."""
        raise NotImplementedError


class HubModel(OnHub, ModelSource):
    """A model of the Hugging Face Hub, at a revision."""

    hub_kind: ClassVar = "model"
    hub_key: ClassVar = "id"

    kind: Literal["hub"]
    id: Word = Field(description="Id on the Hub: `google-t5/t5-base`.")

    def fetch(self, folder: Path) -> dict[str, Any]:
        from tunegrid.common.hub import download

        commit = self.commit or download.resolve("model", self.id, self.revision)
        for file in download.download_model(self.id, commit):
            copy_file(file, folder / file.name, link=file.suffix == ".safetensors")  # nobody edits the Hub's cache
        return {"id": self.id, "revision": self.revision, "commit": commit}

    def known_config(self, family: Family) -> dict[str, Any] | None:
        return known_config(self.id)

    def describe(self) -> str:
        return f"Hub model {self.id}" + (f" at {self.revision}" if self.revision else "")


class LocalModel(ModelSource):
    """A folder of this machine in the Hub's layout."""

    @property
    def place(self) -> str:
        """The folder."""
        raise NotImplementedError

    def fetch(self, folder: Path) -> dict[str, Any]:
        self.check()  # before weights are copied
        for file in _wanted(Path(self.place)):
            copy_file(file, folder / file.name)
        return {"path": self.place}

    def check(self) -> None:
        check_checkpoint(Path(self.place), f"local folder {self.place}")

    def files(self) -> list[Path]:
        return sorted({Path(self.place) / "config.json", *_wanted(Path(self.place))})

    def known_config(self, family: Family) -> dict[str, Any] | None:
        try:
            config = json.loads((Path(self.place) / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # whoever fetches it says what is wrong
            return None
        return config if isinstance(config, dict) else None


class DirectoryModel(LocalModel):
    """A local folder in the Hub's layout."""

    kind: Literal["directory"]
    path: Text = Field(description="The folder, relative to the folder that the study is run in.")

    @property
    def place(self) -> str:
        return self.path

    def describe(self) -> str:
        return f"local folder {self.path}"


def copy_file(file: Path, target: Path, link: bool = False) -> None:
    """Copies a file; with `link` it gets a second name instead, where that can be.

    Raises:
        TuneGridError: it cannot be copied.
    """
    if link:
        with suppress(OSError):  # another disk, or one without such names
            target.hardlink_to(file.resolve())
            return
    try:
        shutil.copyfile(file, target)
    except OSError as error:
        raise TuneGridError(f"{file}: cannot be copied to {target.parent}: {error.strerror or error}.") from None


def _wanted(folder: Path) -> list[Path]:
    return sorted(file for pattern in WANTED for file in folder.glob(pattern))
