"""Layout of a data set on the Hub: which of its files hold which split of which configuration."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import did_you_mean

DESCRIPTIONS = ("README.md", "dataset_infos.json")
DATA_FILE = re.compile(r".*\.(parquet|csv|tsv|json|jsonl)(\.(gz|bz2|xz|zst))?")

DataFiles = dict[str, list[str]]  # split -> patterns of file names, relative to the data set's folder


def is_slice(split: str) -> bool:
    """Whether a split is more than a name: `train[:90%]`, `train+test`."""
    return re.fullmatch(r"\w+(\.\w+)*", split) is None


def configured_files(folder: Path, name: str | None, splits: Collection[str], where: str) -> DataFiles | None:
    """Patterns of the files that the README names for some splits of a configuration (None: the default one).

    None where the README leaves that to the names of the files.

    Raises:
        TuneGridError: it has no such configuration or split, or several configurations to choose from.
    """
    configurations = _configurations(folder / "README.md", where)
    if not configurations:
        return None
    if name is None and (name := configurations.get_default_config_name()) is None:
        raise TuneGridError(f"{where}: has several configurations; choose one with `name:`. {_valid(configurations)}")
    if name not in configurations:
        raise TuneGridError(f"{where}: has no configuration {name!r}. {did_you_mean(name, configurations)}")
    if any("data_files" not in configuration for configuration in configurations.values()):
        return None
    from datasets.data_files import sanitize_patterns

    files = {str(split): patterns for split, patterns in sanitize_patterns(configurations[name]["data_files"]).items()}
    names = {part.split("[")[0].strip() for split in splits for part in split.split("+")}
    for split in sorted(names - files.keys()):
        raise TuneGridError(f"{where}: has no split {split!r}. {did_you_mean(split, files)}")
    return {split: patterns for split, patterns in files.items() if split in names}


def chosen_files(names: Iterable[str], files: DataFiles | None) -> set[str]:
    """Names of the files of a repository that hold its data (`files`: the result of `configured_files`)."""
    if files is None:
        return {name for name in names if DATA_FILE.fullmatch(name) and Path(name).name not in DESCRIPTIONS}
    patterns = [pattern.removeprefix("./") for split in files.values() for pattern in split]
    # A file too many does no harm (fnmatch's `*` also matches a slash); `**/` may stand for no folder at all.
    patterns += [pattern.replace("**/", "") for pattern in patterns]
    return {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}


def _configurations(readme: Path, where: str):
    if not readme.exists():
        return None
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    try:
        return MetadataConfigs.from_dataset_card_data(DatasetCard.load(readme, ignore_metadata_errors=True).data)
    except Exception as error:  # YAML's, the library's own, a key that is missing
        raise TuneGridError(f"{where}: README.md: its `configs:` cannot be read: {error}") from None


def _valid(names: Iterable[str]) -> str:
    return f"Valid: {', '.join(sorted(names))}"
