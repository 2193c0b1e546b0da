"""How much data a study has, before or after it is fetched: rows of each split, and their lengths in tokens."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import yaml

from tunegrid.common.errors import TuneGridError
from tunegrid.common.package_data import datasets_file
from tunegrid.common.records import DataCard, TokenStats, read_card
from tunegrid.data.formats import format_of
from tunegrid.data.formats.lines import COMPRESSIONS, binary_lines
from tunegrid.data.sources import SPLITS
from tunegrid.data.sources.base import ReadSource
from tunegrid.study.cells import Cell, MixtureCell
from tunegrid.study.mixtures import mixed_names, settings_of
from tunegrid.study.plan.lengths import Lengths, SplitSize, counted, from_quantiles, mixed
from tunegrid.study.study import Study
from tunegrid.tasks import RowError, Task
from tunegrid.tasks.mixture import mixed_counts
from tunegrid.tasks.rows import canonical_row

TOKENS_PER_WORD = 1.3  # of English in a subword vocabulary, an often used estimate
SAMPLE = 300  # rows read of a file to estimate lengths
UNKNOWN_ROWS = 100_000  # of a data set that nobody here has seen
COMPRESSION = 4  # bytes of text for each byte of a compressed file, roughly
WHOLE_FILE = 64 * 2**20  # bytes up to which the rows of a file are counted, not estimated by its size
BYTES_PER_WORD = 6.3  # of text in UTF-8, with the blank


@dataclass(frozen=True)
class TaskRows:
    """The rows of a task.

    Attributes:
        rows: of each split.
        basis: where the counts come from, in words.
        facts: what is known of the lengths: an entry of resources/datasets.yaml, or nothing.
        sample: some rows, canonical.
    """

    rows: dict[str, int]
    basis: str
    facts: dict[str, Any] | None = None
    sample: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class TaskSize:
    """A task in a model's tokens; `row_bytes` is what the text of a row has on average."""

    splits: dict[str, SplitSize]
    basis: str
    row_bytes: float


class Sizes:
    """The sizes of a study's tasks, each looked up once."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.rows = cache(self._rows)
        self.of = cache(self._of)
        self.domain = cache(self._domain)
        self.trained = cache(self._trained)

    def _rows(self, name: str) -> TaskRows:
        """The rows of a task: of its card, else by its source."""
        card = self.study.paths.data_card(name)
        found = _by_source(self.study.task(name))
        if card.is_file():
            rows = read_card(card, DataCard)["rows"]
            return TaskRows(rows, f"rows counted ({card})", found.facts, found.sample)
        return found

    def _of(self, name: str, model: str) -> TaskSize:
        """A task in a model's tokens."""
        found, task = self.rows(name), self.study.task(name, model)
        folder = self.study.paths.tokens(name, model)
        row_bytes = BYTES_PER_WORD * _words_of_row(found, task)
        if (splits := counted(folder, found.rows)) is not None:
            return TaskSize(splits, f"tokens counted ({folder})", row_bytes)
        settings = task.settings
        limits = (settings.max_source_length, settings.max_target_length)
        stats = folder / "stats.json"
        if stats.is_file():
            content = read_card(stats, TokenStats)
            if content.get("max_source_length") == limits[0] and (splits := from_quantiles(content, limits)):
                return TaskSize(splits, f"token lengths by {stats}", row_bytes)
        splits, basis = self._estimate(found, task, model, limits)
        return TaskSize(splits, f"{found.basis}; {basis}", row_bytes)

    def _domain(self, name: str, domain: str, model: str) -> SplitSize:
        """Test rows of another domain of a task in a model's tokens: longer than its own as they have more words.

        Where rows of one of them cannot be seen, both are taken to be as long.
        """
        own, task = self.of(name, model).splits["test"], self.study.task(name, model)
        family = self.study.models[model].family
        elsewhere = self.study.domain_task(name, domain)
        on_hub = elsewhere.settings.source.kind == "hub"  # to read its rows would fetch them
        samples = self.rows(name).sample, [] if on_hub else _sample(elsewhere, "test")
        if not all(samples):
            return own
        sources, targets = zip(*(_words_of(task, sample, family) for sample in samples), strict=True)
        settings, overlap = task.settings, task.window_overlap()
        source = [words * own.source.mean / (fmean(sources[0]) or 1) for words in sources[1]]
        target = [words * own.target.mean / (fmean(targets[0]) or 1) for words in targets[1]]
        limit = settings.max_source_length
        windows = [1 if overlap is None else _windows(tokens, limit, min(overlap, limit // 2)) for tokens in source]
        lengths = [
            Lengths.estimate(fmean(tokens), pstdev(tokens) / (fmean(tokens) or 1), most, max(own.rows, 1))
            for tokens, most in ((source, limit), (target, settings.max_target_length))
        ]
        return SplitSize(len(source), sum(windows), *lengths)

    def _trained(self, cell: Cell) -> dict[str, SplitSize]:
        """What the runs of a cell are trained and tested on: its task, or its mixture and, of a cell, its task's test.

        The wordings are taken to be as long as the prompts.
        """
        trained = self.study.training_of(cell)
        if not isinstance(trained, MixtureCell):
            return self.of(cell.task, cell.model).splits
        settings = settings_of(self.study, cell)
        tasks = {name: self.of(name, cell.model).splits for name in mixed_names(self.study, settings)}
        rows = {split: {name: sizes[split].rows for name, sizes in tasks.items()} for split in ("train", "validation")}
        rows["train"] = mixed_counts(rows["train"], settings.mixing, settings.limit)
        splits = {
            split: mixed([(tasks[name][split], count) for name, count in counts.items()])
            for split, counts in rows.items()
        }
        test = splits["validation"] if cell == trained else self.of(cell.task, cell.model).splits["test"]
        return splits | {"test": test}

    def _estimate(
        self, found: TaskRows, task: Task, model: str, limits: tuple[int, int]
    ) -> tuple[dict[str, SplitSize], str]:
        family = self.study.models[model].family
        if found.facts:
            words = found.facts["words"]
            row: dict[str, Any] = {column: " ".join(["word"] * round(count)) for column, count in words.items()}
            target = words.get("target") or words.get("answers") or fmean(map(_words, task.labels() or ["one"]))
            means = [_words(task.source_text(row, family)), target]
            spreads = [found.facts["spread"]] * 2
            basis = "token lengths estimated (resources/datasets.yaml)"
        elif found.sample:
            counts = _words_of(task, found.sample, family)
            means = [fmean(words) for words in counts]
            spreads = [pstdev(words) / (fmean(words) or 1) for words in counts]
            basis = f"token lengths estimated from {len(found.sample)} rows, {TOKENS_PER_WORD} tokens a word"
        else:
            basis = "no row is known: every row taken to be as long as the task allows (upper bound)"
            lengths = [Lengths(limit, 0.0, limit) for limit in limits]
            return {split: SplitSize(found.rows[split], found.rows[split], *lengths) for split in SPLITS}, basis
        facts = found.facts or {}
        per_source = facts.get("tokens_per_word", {})
        per_target = facts.get("target_tokens_per_word", per_source)
        special = 2 if self.study.family(model).has_biases else 1  # BART encloses a text, T5 ends it
        factors = [each.get(family, each.get("default", TOKENS_PER_WORD)) for each in (per_source, per_target)]
        tokens = [mean * factor + special for mean, factor in zip(means, factors, strict=True)]
        splits = {}
        for split in SPLITS:
            rows = found.rows[split]
            lengths = [Lengths.estimate(*each, max(rows, 1)) for each in zip(tokens, spreads, limits, strict=True)]
            splits[split] = SplitSize(rows, rows, *lengths)
        return splits, basis


def _by_source(task: Task) -> TaskRows:
    source = task.settings.source
    if not isinstance(source, ReadSource):  # made to order
        rows = {split: getattr(source.rows, split) for split in SPLITS}
        return TaskRows(rows, "rows as the study says", sample=_sample(task))
    if source.kind == "files":
        sizes = {split: rows_in(Path(name)) for split, name in source.paths.model_dump(exclude_none=True).items()}
        counts = {split: rows for split, (rows, _) in sizes.items()}
        basis = "rows counted in the files" if all(exact for _, exact in sizes.values()) else "rows by file size"
        return TaskRows(_splits(task, counts), basis, sample=_sample(task))
    facts, names = _facts_of(source), source.splits.model_dump(exclude_none=True)
    sizes = {split: hub_rows(source, name) for split, name in names.items()}
    unknown = [split for split, rows in sizes.items() if rows is None]
    counts = {split: UNKNOWN_ROWS if rows is None else rows for split, rows in sizes.items()}
    rows = _splits(task, counts)
    limited = [split for split in unknown if getattr(source.rows, split) is None]
    if limited:
        basis = f"rows of {source.path} are not known: {UNKNOWN_ROWS:,} taken for {', '.join(limited)}"
    else:
        basis = f"rows of {source.path} known" if facts else f"rows of {source.path} by the study's limits"
    return TaskRows(rows, basis, facts)


def _splits(task: Task, counts: dict[str, int]) -> dict[str, int]:
    """Rows of each split after the held-out part and the study's limits."""
    source, rows = task.settings.source, {"test": 0, **counts}
    if getattr(task.settings, "protocol", None) == "published":
        from tunegrid.data.splits import published_sizes

        rows = published_sizes(rows["train"])
        return {split: min(rows[split], getattr(source.rows, split) or rows[split]) for split in SPLITS}
    if share := getattr(source, "test_share", None):
        rows["test"] = min(max(1, round(rows["train"] * share)), rows["train"])
        rows["train"] -= rows["test"]
    if "validation" not in rows:
        rows["validation"] = min(max(1, round(rows["train"] * source.validation_share)), rows["train"])
        rows["train"] -= rows["validation"]
    return {split: min(rows[split], getattr(source.rows, split) or rows[split]) for split in SPLITS}


def hub_rows(source: Any, split: str) -> int | None:
    """Rows of a split of a data set of the Hub, by its name there; None: not known."""
    facts = _facts_of(source)
    return _slice(split, facts["rows"]) if facts else None


def _facts_of(source: Any) -> dict[str, Any] | None:
    return _facts().get(" ".join(filter(None, (source.path, source.name))))


_SLICE = re.compile(r"(?P<name>[^\[]+)(\[(?P<start>\d+%?)?:(?P<stop>\d+%?)?\])?")


def _slice(name: str, rows: dict[str, int]) -> int | None:
    """Rows of a split by its name on the Hub, with the library's slices: `train[:90%]`; None: not known."""
    match = _SLICE.fullmatch(name)
    if match is None or match["name"] not in rows:
        return None
    total = rows[match["name"]]

    def place(text: str | None, default: int) -> int:
        if text is None:
            return default
        return round(total * int(text[:-1]) / 100) if text.endswith("%") else min(int(text), total)

    return max(place(match["stop"], total) - place(match["start"], 0), 0)


def rows_in(path: Path) -> tuple[int, bool]:
    """(rows of a file, whether they were counted). A file that is not there has none: the data stage will say so."""
    if not path.is_file():
        return 0, False
    form, size = format_of(path), path.stat().st_size
    if form == ".parquet":
        import pyarrow.parquet

        try:
            return pyarrow.parquet.read_metadata(path).num_rows, True
        except Exception:  # a damaged footer raises whatever its bytes lead to: the data stage will say so
            return 0, False
    compressed = path.suffix.lower() in COMPRESSIONS
    header = form in (".csv", ".tsv")
    try:
        lines = binary_lines(path)
        if size <= WHOLE_FILE // (COMPRESSION if compressed else 1):
            # A field, or a list over several lines, can hold a line break.
            return max(sum(bool(line.strip()) for line in lines) - header, 0), form == ".jsonl"
        head = list(islice(lines, 1000))
    except TuneGridError:  # a damaged file: so will it of this
        return 0, False
    size *= COMPRESSION if compressed else 1
    return round(size / (sum(map(len, head)) / len(head))), False


def _windows(tokens: float, limit: int, overlap: int) -> int:
    """Windows of a source of so many tokens, its prompt left out of the count."""
    return 1 if tokens <= limit else math.ceil((tokens - overlap) / (limit - overlap))


def _sample(task: Task, split: str = "train") -> list[dict[str, Any]]:
    """The first rows of a split, canonical; none that cannot be read: the data stage will say why."""
    rows = []
    try:
        for row in islice(_few(task.settings.source, task.settings.kind, split), SAMPLE):
            with suppress(RowError):
                rows.append(canonical_row(task, row))
    except (TuneGridError, OSError):
        return []
    return rows


def _few(source: Any, kind: str, split: str) -> Any:
    """The rows of a split of a source; of generated ones, made for this, only a few."""
    if isinstance(source, ReadSource):
        return source.read(split, kind) or ()
    few = source.rows.model_copy(update={split: min(SAMPLE, getattr(source.rows, split))})
    return source.model_copy(update={"rows": few}).read(split, kind) or ()


@cache
def _facts() -> dict[str, Any]:
    return yaml.safe_load(datasets_file().read_text(encoding="utf-8"))


def _words(text: str) -> int:
    return len(text.split())


def _words_of(task: Task, rows: list[dict[str, Any]], family: str) -> tuple[list[int], list[int]]:
    """Words of the source, and of the target, of each row."""
    return [_words(task.source_text(row, family)) for row in rows], [_words(task.target_text(row)) for row in rows]


def _words_of_row(found: TaskRows, task: Task) -> float:
    """Words of all text columns of a row, on average; of a row that nobody has seen, as many as the task allows."""
    if found.facts:
        return sum(found.facts["words"].values())
    if found.sample:
        texts = [" ".join(str(value) for value in row.values()) for row in found.sample]
        return fmean(map(_words, texts))
    return (task.settings.max_source_length + task.settings.max_target_length) / TOKENS_PER_WORD
