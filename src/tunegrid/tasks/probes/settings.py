"""Which probes a study asks for (`probes:`), and where their templates are."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed, Name, Text, did_you_mean, one_of
from tunegrid.common.package_data import probes_folder
from tunegrid.common.yaml_file import ConfigFile
from tunegrid.tasks.probes import PROBES, ProbeSet


class ProbeSettings(Closed):
    """A set of probes for one task of the study: one that comes with the project, or a file of one's own."""

    task: Name = Field(description="The task that is probed, a name under `tasks`.")
    set: Name | None = Field(None, description="Name of a set in resources/probes/.")
    file: Text | None = Field(None, description="Path of a YAML file with a set of your own, in its place.")

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> ProbeSettings:
        if (self.set is None) == (self.file is None):
            raise ValueError("give `set`, the name of a set that comes with the project, or `file`, one of them")
        return self

    @property
    def path(self) -> Path:
        return probes_folder() / f"{self.set}.yaml" if self.file is None else Path(self.file)

    def read(self) -> ProbeSet:
        """The set of probes. Raises TuneGridError, with file, line and key, for one that is not valid."""
        if self.file is None and self.set not in (known := shipped_sets()):
            raise TuneGridError(f"unknown: {self.set!r}. {did_you_mean(self.set, known)}")
        return read_probes(self.path)


def shipped_sets() -> list[str]:
    """Names of the sets that come with the project."""
    return sorted(file.stem for file in probes_folder().glob("*.yaml"))


def read_probes(path: Path) -> ProbeSet:
    """Reads a file with a set of probes. Raises TuneGridError, with file, line and key, for one that is not valid."""
    config = ConfigFile.read([path])
    try:
        return _ADAPTER.validate_python(config.values)
    except ValidationError as error:
        raise TuneGridError(config.explain(error)) from None


_ADAPTER: TypeAdapter[ProbeSet] = TypeAdapter(one_of(PROBES.values()))
