"""Layout of a data set on the Hub: which of its files hold which split of which configuration.

What the README of a data set says comes from outside: it can name files of its own folder, and no others.
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import did_you_mean

DESCRIPTIONS = ("README.md", "dataset_infos.json")
# Suffix -> the format that a data set is said to be in; of several, that of most files is read, as the Hub does.
FORMATS = {".parquet": "Parquet", ".jsonl": "JSON", ".json": "JSON", ".csv": "CSV", ".tsv": "CSV"}
DATA_FILE = re.compile(r".*(\.parquet|\.(csv|tsv|json|jsonl)(\.(gz|bz2|xz|zst))?)", re.IGNORECASE)
# Keys of a configuration with which the library would read its files in another way than TuneGrid does.
UNSUPPORTED = {
    "column_names", "comment", "decimal", "encoding", "escapechar", "field", "header", "index_col", "names", "nrows",
    "quotechar", "quoting", "skiprows", "skipfooter", "skipinitialspace", "usecols",
}  # fmt: skip

DataFiles = dict[str, list[str]]  # split -> patterns of file names, relative to the data set's folder


@dataclass(frozen=True)
class Layout:
    """The files of one configuration of a data set on this machine.

    Attributes:
        files: split -> its files, in order.
        separator: of its CSV files, where the README says so.
        features: what the README says of the columns, in the library's own JSON.
    """

    files: dict[str, list[Path]]
    separator: str | None
    features: dict[str, Any]


def is_slice(split: str) -> bool:
    """Whether a split is more than a name: `train[:90%]`, `train+test`."""
    return re.fullmatch(r"\w+(\.\w+)*", split) is None


def split_names(split: str) -> set[str]:
    """The splits that a sum of slices is made of."""
    return {part.split("[")[0].strip() for part in split.split("+")}


def _known_splits(splits: Iterable[str], known: Collection[str], where: str) -> set[str]:
    """The splits that some sums of slices are made of. Raises TuneGridError for one that is not known."""
    names = {part for split in splits for part in split_names(split)}
    for split in sorted(names - set(known)):
        raise TuneGridError(f"{where}: has no split {split!r}. {did_you_mean(split, known)}")
    return names


def refuse_outside(path: object, where: str) -> None:
    """Raises TuneGridError for a path in a file from outside that leads out of that file's folder: `../a`, a URL."""
    leaves = not isinstance(path, str) or ".." in re.split(r"[/\\]", path) or path.startswith(("/", "\\", "~"))
    if leaves or re.match(r"[\w+.-]*:", str(path)) or "::" in str(path):
        raise TuneGridError(
            f"{where}: names the file {path!r:.200}, which is outside of its own folder; such files are not read."
        )


def configured_files(folder: Path, name: str | None, splits: Collection[str], where: str) -> DataFiles | None:
    """Patterns of the files that the README names for some splits of a configuration (None: the default one).

    None where the README leaves that to the names of the files.

    Raises:
        TuneGridError: it has no such configuration or split, several configurations to choose from, or names files
            outside of the data set.
    """
    configurations = _configurations(folder / "README.md", where)
    if not configurations:
        return None
    name = _chosen(configurations, name, where)
    if any("data_files" not in configuration for configuration in configurations.values()):
        return None
    files = _patterns(configurations[name])
    names = _known_splits(splits, files, where)
    inside = configurations[name].get("data_dir") or "."
    return {
        split: [os.path.normpath(f"{inside}/{pattern}") for pattern in patterns]
        for split, patterns in files.items()
        if split in names
    }


def chosen_files(names: Iterable[str], files: DataFiles | None) -> set[str]:
    """Names of the files of a repository that hold its data (`files`: the result of `configured_files`)."""
    if files is None:
        return {name for name in names if DATA_FILE.fullmatch(name) and Path(name).name not in DESCRIPTIONS}
    patterns = [pattern for split in files.values() for pattern in split]
    # A file too many does no harm (fnmatch's `*` also matches a slash); `**/` may stand for no folder at all.
    patterns += [pattern.replace("**/", "") for pattern in patterns]
    return {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}


def read_layout(folder: Path, name: str | None, splits: Collection[str], where: str) -> Layout:
    """The files of some splits of a configuration (None: the default one) of a data set that is on this machine.

    Without configurations in the README, the names of the files say the split, and a folder's name its configuration.

    Raises:
        TuneGridError: there is no such configuration, no file that can be read, or the README names a file outside.
    """
    from datasets.data_files import EmptyDatasetError, get_data_patterns

    configurations, configuration, base = _configurations(folder / "README.md", where), {}, folder
    if configurations:
        name = _chosen(configurations, name, where)
        configuration = configurations[name]
        base = folder / (configuration.get("data_dir") or ".")
    elif name is not None:
        refuse_outside(name, where)
        base = folder / name
        if not base.is_dir():
            raise TuneGridError(f"{where}: has no configurations, and no folder {name!r}. Leave `name` out.")
    root = glob.escape(os.path.abspath(base))
    try:
        patterns = _patterns(configuration) if "data_files" in configuration else get_data_patterns(root)
        names = _known_splits(splits, [str(split) for split in patterns], where)
        files = {
            split: [file for pattern in patterns[split] for file in _resolved(pattern, root)]
            for split in patterns
            if split in names
        }
    except (EmptyDatasetError, FileNotFoundError) as error:
        raise TuneGridError(f"{where}: {error}") from None
    for file in (file for files in files.values() for file in files):
        if not Path(os.path.abspath(file)).is_relative_to(os.path.abspath(folder)):
            refuse_outside(str(file), where)
    separator = configuration.get("sep") or configuration.get("delimiter")
    return Layout(_in_one_format(files, where), separator, _features(folder, name, where))


def _resolved(pattern: str, root: str) -> list[Path]:
    """The files that a pattern matches. Raises FileNotFoundError if it is the name of one that is not there."""
    from datasets.data_files import resolve_pattern

    try:
        return [Path(file) for file in resolve_pattern(pattern, root)]
    except FileNotFoundError:
        if glob.has_magic(pattern):
            return []
        raise


def _in_one_format(files: dict[str, list[Path]], where: str) -> dict[str, list[Path]]:
    """The files of the format that most are in; a repository may hold the same rows in several."""

    def form(path: Path) -> str | None:
        if path.name in DESCRIPTIONS or not DATA_FILE.fullmatch(path.name):
            return None
        return next(FORMATS[suffix.lower()] for suffix in reversed(path.suffixes) if suffix.lower() in FORMATS)

    counts = Counter(form(path) for paths in files.values() for path in paths)
    del counts[None]
    if not counts:
        raise TuneGridError(f"{where}: there are no Parquet, JSON or CSV files.")
    order = list(dict.fromkeys(FORMATS.values()))
    most = max(order, key=lambda name: (counts[name], -order.index(name)))
    return {split: [path for path in dict.fromkeys(paths) if form(path) == most] for split, paths in files.items()}


def _patterns(configuration: dict[str, Any]) -> DataFiles:
    from datasets.data_files import sanitize_patterns

    return {str(split): patterns for split, patterns in sanitize_patterns(configuration["data_files"]).items()}


def _chosen(configurations: dict[str, dict[str, Any]], name: str | None, where: str) -> str:
    """The name of a configuration whose files can be read."""
    if name is None and (name := configurations.get_default_config_name()) is None:
        valid = ", ".join(sorted(configurations))
        raise TuneGridError(f"{where}: has several configurations; choose one with `name:`. Valid: {valid}")
    if name not in configurations:
        raise TuneGridError(f"{where}: has no configuration {name!r}. {did_you_mean(name, configurations)}")
    configuration, readme = configurations[name], f"{where}: README.md"
    if unsupported := sorted(UNSUPPORTED & configuration.keys()):
        raise TuneGridError(
            f"{readme}: its configuration {name!r} sets {', '.join(unsupported)}, which is not supported."
        )
    if (inside := configuration.get("data_dir")) is not None:
        refuse_outside(inside, readme)
    if "data_files" in configuration:
        for patterns in _patterns(configuration).values():
            for pattern in patterns:
                refuse_outside(pattern, readme)
    return name


def _configurations(readme: Path, where: str):
    if not readme.exists():
        return None
    from datasets.utils.metadata import MetadataConfigs

    try:
        return MetadataConfigs.from_dataset_card_data(_card(readme))
    except Exception as error:  # YAML's, the library's own, a key that is missing
        raise TuneGridError(f"{where}: README.md: its `configs:` cannot be read: {error}") from None


def _features(folder: Path, name: str | None, where: str) -> dict[str, Any]:
    """What the data set says of the columns of a configuration, in the library's own JSON."""
    from datasets.info import DatasetInfosDict

    readme, infos = folder / "README.md", {}
    try:
        if readme.exists():
            infos = DatasetInfosDict.from_dataset_card_data(_card(readme))
        infos = infos or DatasetInfosDict.from_directory(folder)  # dataset_infos.json, of older data sets
        info = next(iter(infos.values())) if len(infos) == 1 else infos.get(name or "default")
        return info.features.to_dict() if info and info.features else {}
    except Exception as error:  # as above
        raise TuneGridError(f"{where}: what it says of its columns cannot be read: {error}") from None


def _card(readme: Path):
    from huggingface_hub import DatasetCard

    return DatasetCard.load(readme, ignore_metadata_errors=True).data
