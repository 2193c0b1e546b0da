"""The stage `fetch_pairs`: preference pairs, read and cleaned or made by a rule, as one Parquet file per split."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder, write_json
from tunegrid.data.parquet import SplitWriter, read_parquet
from tunegrid.data.sources import SPLITS, Split
from tunegrid.runtime.provenance import file_digest
from tunegrid.study.study import Study
from tunegrid.tasks import Row, RowError
from tunegrid.tasks.pairs import CorruptedAnswers, corrupted_pairs, pair_of
from tunegrid.tasks.rows import EXAMPLES


def fetch_pairs(study: Study, task: str, name: str, folder: Path) -> None:
    """Writes `train`, `validation` and `test` pairs as Parquet, and `card.json`, into a folder.

    A split that the source lacks is held out of its training pairs: `validation_share` of their prompts.

    Raises:
        TuneGridError: a pair cannot be used, or a split has none; the message says where. Nothing is written then.
    """
    source = study.preferences[name].source
    unusable: dict[str, Any] = {}
    if isinstance(source, CorruptedAnswers):
        splits = {split: _corrupted(study, task, source, split) for split in SPLITS}
    else:
        splits = _read_all(name, source, unusable)
    with replaced_folder(folder) as new:
        for split, pairs in splits.items():
            kept = limited(pairs, getattr(source.rows, split), source.seed)
            if not kept:
                raise TuneGridError(f"preferences.{name}: the {split} split has no pairs ({source.describe()})")
            splits[split] = kept
            with SplitWriter(new / f"{split}.parquet") as output:
                for pair in kept:
                    output.add(pair)
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


def _corrupted(study: Study, task: str, source: CorruptedAnswers, split: Split) -> list[Row]:
    file = study.paths.split(task, split)
    if not file.is_file():
        raise TuneGridError(f"{file}: no such file. Write it first: tunegrid fetch-data CONFIG --task {task}")
    return list(corrupted_pairs(source, study.task(task), read_parquet(file), split))


def _read_all(name: str, source: Any, unusable: dict[str, Any]) -> dict[str, list[Row]]:
    found = {split: _read(name, source, split, unusable) for split in SPLITS}
    train = found["train"] or []
    for split in ("validation", "test"):
        if found[split] is None:
            own = getattr(source, "test_share", None) if split == "test" else None
            train, found[split] = _held_out(train, own or source.validation_share, f"{source.seed} {split}")
    return {"train": train, "validation": found["validation"], "test": found["test"]}


def _read(name: str, source: Any, split: Split, unusable: dict[str, Any]) -> list[Row] | None:
    """The usable pairs of a split in the source's order; None: the source has no such split."""
    rows = source.read(split, "preferences")
    return None if rows is None else list(_usable(name, source, split, rows, unusable))


def _usable(name: str, source: Any, split: Split, rows: Any, unusable: dict[str, Any]) -> Iterator[Row]:
    seen: set[str] = set()
    for number, raw in enumerate(rows, start=1):
        try:
            pair = pair_of(raw, source.columns)
        except RowError as error:
            if source.unusable_rows == "error":
                raise TuneGridError(
                    f"preferences.{name}: {raw.where}: {str(error).removesuffix('.')}. To leave such rows out, "
                    "and have them counted: `unusable_rows: skip` in the source"
                ) from None
            skipped = unusable.setdefault(split, {}).setdefault(error.column, {"rows": 0, "examples": []})
            skipped["rows"] += 1
            if len(skipped["examples"]) < EXAMPLES:
                skipped["examples"].append(f"{raw.where}: {error}")
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


def limited(pairs: list[Row], most: int | None, seed: int) -> list[Row]:
    """At most so many pairs, drawn by a seeded sample, in their order."""
    if most is None or most >= len(pairs):
        return pairs
    return [pairs[place] for place in sorted(random.Random(seed).sample(range(len(pairs)), most))]


def _prompt(pair: Row) -> str:
    return "\0".join(pair[name] for name in sorted(pair) if name not in ("id", "chosen", "rejected"))
