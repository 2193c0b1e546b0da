"""The stage `sample_pairs`: preference pairs of answers that a tuned model samples, ranked by a stated rule."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import read_json, read_object, replaced_folder, write_json
from tunegrid.data.parquet import read_parquet, write_columns
from tunegrid.data.sources import SPLITS
from tunegrid.data.sources.base import Row
from tunegrid.data.tokens import load_tokenizer
from tunegrid.models.seal import check_base
from tunegrid.results.records import TrainRecord, read_record
from tunegrid.runtime import cpu_kernels, locks
from tunegrid.runtime.attempts import ONLY, Attempt
from tunegrid.runtime.provenance import digest, file_digest
from tunegrid.runtime.torch_device import pick_device
from tunegrid.stages.fetch_pairs import limited, write_pairs
from tunegrid.stages.inputs import UnusableInput, run_model
from tunegrid.study.needs import sampled_from
from tunegrid.study.stage_settings import pairs_settings
from tunegrid.study.study import Study
from tunegrid.tasks import Task
from tunegrid.tasks.pair_tokens import prompt_ids

if TYPE_CHECKING:
    from tunegrid.tasks.pairs import SampledAnswers

BATCHES = 16  # after so many what was sampled is on the disk


def sample_pairs(study: Study, task: str, model: str, name: str, folder: Path, attempt: Attempt = ONLY) -> None:
    """Writes `train`, `validation` and `test` pairs as Parquet, and `card.json`, into a folder.

    What a process that died had sampled is taken over. Where the run failed that samples, its answers give no pairs, or
    the last attempt fails, the splits are empty, and the card has the reason.

    Raises:
        AttemptFailed: the sampling raised an error, and there will be another attempt.
        TuneGridError: the run or the rows are not there, or are not what their records say.
    """
    with _hold_lock(study, task, model, name):
        start, source = time.perf_counter(), study.preferences[name].source
        splits: dict[str, list[Row]] = {split: [] for split in SPLITS}
        facts: dict[str, Any] = {"reason": None}
        parts = None
        try:
            parts, answers = _answers(study, task, model, name)
            for split, (rows, texts) in answers.items():
                splits[split], facts[split] = _pairs(source, study.task(task, model), rows, texts)
                if not splits[split]:
                    raise UnusableInput(_why_no_pairs(name, source, split, texts, facts[split]["metric"]))
        except UnusableInput as error:
            facts, splits = {"reason": str(error)}, {split: [] for split in SPLITS}
        except (TuneGridError, OSError):  # the user has to fix something: a full disk, say
            raise
        except Exception as error:
            reason = attempt.failure(f"the pairs {name} of {model}", error)
            facts, splits = {"reason": reason}, {split: [] for split in SPLITS}
        _write(study, (task, model, name), folder, splits, facts | {"sampling_seconds": time.perf_counter() - start})
        if parts:
            shutil.rmtree(parts, ignore_errors=True)


def write_failed_pairs(study: Study, task: str, model: str, name: str, folder: Path, reason: str, started: str) -> None:
    """Writes empty pairs, with the reason, of a process that died, unless it had written them (`started`: ISO 8601)."""
    with _hold_lock(study, task, model, name):
        begun, card = datetime.fromisoformat(started).timestamp(), folder / "card.json"
        if card.is_file() and card.stat().st_mtime >= begun:
            return
        facts = {"reason": reason, "sampling_seconds": max(0.0, time.time() - begun)}
        _write(study, (task, model, name), folder, {split: [] for split in SPLITS}, facts)


def _hold_lock(study: Study, task: str, model: str, name: str) -> AbstractContextManager[None]:
    return locks.hold(study.paths.lock(f"preferences/{task}/{name}/{model}"), f"the pairs {name} of {model}")


def _answers(
    study: Study, task: str, model: str, name: str
) -> tuple[Path, dict[str, tuple[list[Row], list[list[str]]]]]:
    """(the folder of what was sampled so far, split -> (rows, the answers to each))."""
    paths, source = study.paths, study.preferences[name].source
    run = sampled_from(study, task, model, name)
    if not (paths.run(run) / "train.json").is_file():
        names = f"--task {task} --model {model} --method {run.cell.method} --seed {run.seed}"
        raise TuneGridError(f"{paths.run(run)}: no such run. Make it first: tunegrid train CONFIG {names}")
    tuned, base = run_model(study, run), paths.model(model)
    check_base(base)
    trained = read_record(paths.run(run) / "train.json", TrainRecord)
    card = read_object(paths.data_card(task))["fingerprint"]
    key = digest([pairs_settings(study, task, name, model), trained.weights, card])
    parts = paths.pair_parts(task, name, model, key)
    tokenizer = load_tokenizer(base)
    parts.mkdir(parents=True, exist_ok=True)
    sampler, found = None, {}
    for split in SPLITS:
        rows = limited(read_parquet(paths.split(task, split)), getattr(source.rows, split), source.seed)
        size, texts = BATCHES * study.tasks[task].evaluation_batch_size, []
        for first in range(0, len(rows), size):
            file = parts / f"{split}-{first}.json"
            if not file.is_file():
                if sampler is None:
                    plain = cpu_kernels.place(tuned.load(base).eval(), pick_device(study.hardware))
                    sampler = _Sampler(study.task(task, model), plain, tokenizer, source)
                write_json(file, sampler.answers(rows[first : first + size], f"{source.seed} {split} {first}"))
                print(f"{split}: answers to {min(first + size, len(rows)):,} of {len(rows):,} rows", flush=True)
            texts += read_json(file)
        found[split] = rows, texts
    return parts, found


class _Sampler:
    def __init__(self, task: Task, model: Any, tokenizer: Any, source: SampledAnswers) -> None:
        self.task, self.model, self.tokenizer, self.source = task, model, tokenizer, source

    def answers(self, rows: Sequence[Row], seed: str) -> list[list[str]]:
        """Several answers to each row. They follow from the rows and the seed alone, wherever a process goes on."""
        import torch

        from tunegrid.training.preferences.rollouts import sample

        torch.manual_seed(int(digest(seed)[:15], 16))
        sources = prompt_ids(self.task, self.tokenizer, rows)
        settings, count = self.task.settings, self.source.samples
        order = sorted(range(len(rows)), key=lambda place: (-len(sources[place]), place))
        found: list[list[str]] = [[] for _ in rows]
        for start in range(0, len(order), settings.evaluation_batch_size):
            places = order[start : start + settings.evaluation_batch_size]
            batch = [sources[place] for place in places for _ in range(count)]
            answers = sample(self.model, self.tokenizer, batch, settings.generation)
            texts = self.tokenizer.batch_decode(answers.token_ids(), skip_special_tokens=True)
            for number, place in enumerate(places):
                found[place] = [text.strip() for text in texts[number * count : (number + 1) * count]]
        return found


def _pairs(
    source: SampledAnswers, task: Task, rows: Sequence[Row], answers: Sequence[Sequence[str]]
) -> tuple[list[Row], dict[str, Any]]:
    """(the pairs of rows and their answers, what there is to tell of them)."""
    metric = next(metric for metric in task.metrics if metric.name == task.example_metric)
    texts = [text for each in answers for text in each]
    repeated = [row for row, each in zip(rows, answers, strict=True) for _ in each]
    scores = task.score(texts, repeated).examples[metric.columns[0]].astype(float).tolist()
    pairs, place = [], 0
    for row, each in zip(rows, answers, strict=True):
        pair = source.pair(each, scores[place : place + len(each)], task.target_text(row))
        place += len(each)
        if pair and all(text.strip() for text in pair):
            columns = {name: row[name] for name in task.source_columns}
            pairs.append({"id": row["id"], **columns, "chosen": pair[0], "rejected": pair[1]})
    facts = {"rows": len(rows), "pairs": len(pairs), "metric": metric.name, "mean_score": sum(scores) / len(scores)}
    return pairs, facts


def _why_no_pairs(name: str, source: SampledAnswers, split: str, answers: Sequence[Sequence[str]], metric: str) -> str:
    """Why the rule prefers no answer to any row of a split, and what to do."""
    same = sum(len(set(texts)) == 1 for texts in answers)
    alike = f"in {same:,} of {len(answers):,} rows all {source.samples} answers are the same text"
    if source.rule == "reference":
        why, other = "in the others each is the reference or one of the two is empty", "`samples` or `rows` higher"
    else:
        why = f"in the others they have the same {metric}, or one of the two is empty"
        other = "`samples` or `rows` higher, or `rule: reference`"
    return (
        f"preferences.{name}: the {split} split has no pairs, for the rule {source.rule} prefers no answer of "
        f"{source.start}: {alike}, {why}. Set {other}."
    )


def _write(
    study: Study, names: tuple[str, str, str], folder: Path, splits: dict[str, list[Row]], facts: dict[str, Any]
) -> None:
    task, model, name = names
    source = study.preferences[name].source
    with replaced_folder(folder) as new:
        for split, pairs in splits.items():
            if pairs:
                write_pairs(new / f"{split}.parquet", pairs)
            else:
                write_columns(new / f"{split}.parquet", {"id": [], "chosen": [], "rejected": []})
        card = {
            "task": task,
            "model": model,
            "preferences": name,
            "source": source.describe(),
            "rows": {split: len(pairs) for split, pairs in splits.items()},
            **facts,
            "fingerprint": file_digest(*(new / f"{split}.parquet" for split in SPLITS)),
        }
        write_json(new / "card.json", card)
    print(facts["reason"] or f"{name}: " + json.dumps(card["rows"]), flush=True)
