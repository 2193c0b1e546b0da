"""The stage `fetch_pairs`: preference pairs, read and cleaned or made by a rule, as one Parquet file per split."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder, write_json
from tunegrid.common.words import plural
from tunegrid.data.parquet import SplitWriter, read_parquet
from tunegrid.data.sources import SPLITS, Split
from tunegrid.runtime.provenance import file_digest
from tunegrid.stages.empty_splits import no_usable_row, none_left
from tunegrid.study.study import Study
from tunegrid.tasks import Row, RowError
from tunegrid.tasks.pairs import CorruptedAnswers, corrupted_pairs, pair_of
from tunegrid.tasks.rows import TO_SKIP, note_skipped
from tunegrid.tasks.values import shown


def fetch_pairs(study: Study, task: str, name: str, folder: Path) -> None:
    """Writes `train`, `validation` and `test` pairs as Parquet, and `card.json`, into a folder.

    A split that the source lacks is held out of its training pairs: `validation_share` of their prompts.

    Raises:
        TuneGridError: a pair cannot be used, or a split has none; the message says where. Nothing is written then.
    """
    source = study.preferences[name].source
    unusable: dict[str, Any] = {}
    if isinstance(source, CorruptedAnswers):
        splits = {split: _corrupted(study, task, name, source, split) for split in SPLITS}
    else:
        splits = _read_all(name, source, unusable)
    with replaced_folder(folder) as new:
        for split, pairs in splits.items():
            splits[split] = limited(pairs, getattr(source.rows, split), source.seed)
            write_pairs(new / f"{split}.parquet", splits[split])
        known = {_prompt(pair) for pair in splits["train"]}
        card = {
            "task": task,
            "preferences": name,
            "source": source.describe(),
            **source.provenance(),
            "rows": {split: len(pairs) for split, pairs in splits.items()},
            "unusable_rows": unusable,
            "test_prompts_seen_in_training": sum(_prompt(pair) in known for pair in splits["test"]),
            "fingerprint": file_digest(*(new / f"{split}.parquet" for split in SPLITS)),
        }
        write_json(new / "card.json", card)
    print(f"{name}: " + ", ".join(f"{len(pairs):,} {split}" for split, pairs in splits.items()) + " pairs", flush=True)


def _corrupted(study: Study, task: str, name: str, source: CorruptedAnswers, split: Split) -> list[Row]:
    file = study.paths.split(task, split)
    if not file.is_file():
        raise TuneGridError(f"{file}: no such file. Write it first: tunegrid fetch-data CONFIG --task {task}")
    rows, bound = read_parquet(file), study.task(task)
    if not (pairs := list(corrupted_pairs(source, bound, rows, split))):
        raise TuneGridError(
            f"preferences.{name}: the {split} split has no pairs: the rule {source.rule} makes another answer of none "
            f"of the {len(rows):,} references of {task} ({file}), the first of which is "
            f"{shown(bound.target_text(rows[0]))}. Choose another `rule` in the source: drop and swap need "
            "answers of two words or more, replace and other need references that differ."
        )
    return pairs


def _read_all(name: str, source: Any, unusable: dict[str, Any]) -> dict[str, list[Row]]:
    found = {split: _read(name, source, split, unusable) for split in SPLITS}
    whole = train = found["train"] or []
    shares: dict[Split, float] = {}
    for split in ("validation", "test"):
        if found[split] is None:
            own = getattr(source, "test_share", None) if split == "test" else None
            shares[split] = own or source.validation_share
            train, found[split] = _held_out(train, shares[split], f"{source.seed} {split}")
    splits = {"train": train, "validation": found["validation"], "test": found["test"]}
    if empty := [split for split, pairs in splits.items() if not pairs]:
        prompts = len({pair["prompt"] for pair in whole})
        reason = none_left(source, shares, plural(len(whole), "pair"), prompts, "prompt")
        raise TuneGridError(f"preferences.{name}: the {empty[0]} split has no pairs ({source.describe()}): {reason}")
    return splits


def _read(name: str, source: Any, split: Split, unusable: dict[str, Any]) -> list[Row] | None:
    """The usable pairs of a split in the source's order; None: the source has no such split.

    Raises TuneGridError where it has one without a usable pair.
    """
    rows = source.read(split, "preferences")
    if rows is None:
        return None
    if not (pairs := list(_usable(name, source, split, rows, unusable))):
        reason = no_usable_row(source, split, unusable.get(split, {}))
        raise TuneGridError(f"preferences.{name}: the {split} split has no pairs ({source.describe()}): {reason}")
    return pairs


def _usable(name: str, source: Any, split: Split, rows: Any, unusable: dict[str, Any]) -> Iterator[Row]:
    seen: set[str] = set()
    for number, raw in enumerate(rows, start=1):
        try:
            pair = pair_of(raw, source.columns)
        except RowError as error:
            if source.unusable_rows == "error":
                problem = f"{raw.where}: {str(error).removesuffix('.')}"
                raise TuneGridError(f"preferences.{name}: {problem}. {TO_SKIP}") from None
            note_skipped(unusable.setdefault(split, {}), raw.where, error)
            continue
        pair["id"] = pair["id"] or f"{split}-{number:06}"
        if pair["id"] in seen:
            raise TuneGridError(f"preferences.{name}: {raw.where}: the id {pair['id']!r} stands there a second time")
        seen.add(pair["id"])
        yield pair


def _held_out(pairs: Sequence[Row], share: float, seed: str) -> tuple[list[Row], list[Row]]:
    """(the other pairs, those of a share of the prompts): all pairs of a prompt are in the same part."""
    prompts = sorted({pair["prompt"] for pair in pairs})
    chosen = set(random.Random(seed).sample(prompts, min(len(prompts), max(1, round(share * len(prompts))))))
    parts: tuple[list[Row], list[Row]] = ([], [])
    for pair in pairs:
        parts[pair["prompt"] in chosen].append(pair)
    return parts


def write_pairs(path: Path, pairs: Sequence[Row]) -> None:
    """Writes pairs as a Parquet file; there has to be one."""
    with SplitWriter(path) as output:
        for pair in pairs:
            output.add(pair)


def limited(pairs: list[Row], most: int | None, seed: int) -> list[Row]:
    """At most so many pairs, drawn by a seeded sample, in their order."""
    if most is None or most >= len(pairs):
        return pairs
    return [pairs[place] for place in sorted(random.Random(seed).sample(range(len(pairs)), most))]


def _prompt(pair: Row) -> str:
    return "\0".join(pair[name] for name in sorted(pair) if name not in ("id", "chosen", "rejected"))
