"""The work that TuneGrid and the peer's script both do: one model, one task, the same rows, in folders of their own.

At the *real* size the checkpoint has a Hub model's configuration and random weights, and the rows are as long as those
of the paper's data sets (`WORDS`); the learning rate is next to nothing, so that no answer ends early on either side.
At the *mini* size the checkpoint and the rows are the mini study's own, and the scores of both can be compared.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
REAL = {"t5": "google-t5/t5-small", "bart": "facebook/bart-base", "flan-t5": "google/flan-t5-small"}
# (median, spread of the logarithm) of the words of a text: paragraphs of an encyclopedia, film reviews, news sentences;
# a tokenizer of the Hub makes about so many tokens of an English word, ours of a made-up one more.
TOKENS_PER_WORD = 1.3
WORDS = {"qa": (110, 0.40), "sentiment": (175, 0.65), "translation": (20, 0.55)}
TASKS: dict[str, dict[str, Any]] = {
    "qa": {"max_source_length": 384, "max_target_length": 32, "generation": {"max_new_tokens": 16}},
    "translation": {"max_source_length": 128, "max_target_length": 128, "generation": {"max_new_tokens": 40}},
    "sentiment": {"max_source_length": 512, "max_target_length": 4, "generation": {"max_new_tokens": 4}},
}
METHODS: dict[str, dict[str, Any]] = {
    "full": {"kind": "full"},
    "lora": {"kind": "lora", "r": 16, "alpha": 32, "dropout": 0.05},
    "adapters": {"kind": "adapters", "reduction_factor": 16},
}


@dataclass(frozen=True)
class Work:
    """One task with one model, in `folder`.

    Attributes:
        study: the study's YAML as Python values; its file is `folder`/study.yaml.
    """

    folder: Path
    task: str
    model: str
    study: dict[str, Any]
    texts: dict[str, Path] = field(default_factory=dict)  # split -> JSON Lines of source and target

    @property
    def file(self) -> Path:
        return self.folder / "study.yaml"

    @cached_property
    def loaded(self) -> Any:
        from tunegrid.study.load import load_study

        return load_study(self.file)

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.study["study"]

    @property
    def checkpoint(self) -> Path:
        return self.results / "models" / self.model

    @property
    def settings(self) -> Any:
        return self.loaded.tasks[self.task]

    def rows(self, split: str) -> list[dict[str, Any]]:
        from tunegrid.data.parquet import read_parquet

        return read_parquet(self.results / "data" / self.task / f"{split}.parquet")

    def command(self, *arguments: str) -> list[str]:
        """A `tunegrid` command on this study."""
        return [sys.executable, "-m", "tunegrid", arguments[0], str(self.file), *arguments[1:]]

    def prepare(self) -> Work:
        """Runs the stages before training, and writes the same texts for the script."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(yaml.safe_dump(self.study, sort_keys=False), encoding="utf-8")
        for arguments in (
            ("fetch-data", "--task", self.task),
            ("fetch-model", "--model", self.model),
            ("tokenise", "--task", self.task, "--model", self.model),
        ):
            run(self.command(*arguments), self.folder)
        task, family = self.loaded.task(self.task, self.model), self.loaded.models[self.model].family
        for split in ("train", "test"):
            self.texts[split] = self.folder / f"{split}.jsonl"
            with self.texts[split].open("w", encoding="utf-8") as file:
                for row in self.rows(split):
                    pair = {"source": task.source_text(row, family), "target": task.target_text(row)}
                    file.write(json.dumps(pair, ensure_ascii=False) + "\n")
        return self


def run(command: list[str], folder: Path) -> str:
    """A command's output; ends the benchmark, with what it said, if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nfailed with exit code {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def study_of(
    task: str, model: str, source: dict, rows: dict[str, Any], training: dict, threads: int, precision: str, device: str
) -> dict[str, Any]:
    """A study of one task and one model with the three methods."""
    return {
        "study": f"{task}-{model}",
        "title": "A benchmark",
        "description": "The same work for two programs.",
        "seeds": [1],
        "hardware": {"device": device, "threads": threads, "precision": precision},
        "grid": {"tasks": [task], "models": [model], "methods": list(METHODS)},
        "tasks": {task: {"kind": task, **rows}},
        "models": {model: {"family": model, "source": source}},
        "methods": METHODS,
        "training": training,
    }


def real(
    folder: Path, checkpoints: Path, task: str, model: str, *, rows: int, test_rows: int, batch: int, threads: int,
    precision: str = "fp32", device: str = "cpu", length: int | None = None,
) -> Work:  # fmt: skip
    """Random weights of a Hub model's configuration; one epoch over rows of the paper's lengths, roughly.

    Args:
        length: source tokens of every row; None: as in the paper's data sets.
    """
    checkpoint = checkpoints / REAL[model].split("/")[1]
    if not (checkpoint / "tokenizer.json").is_file():
        script = REPOSITORY / "tests" / "support" / "true_configurations.py"
        run([sys.executable, str(script), str(checkpoints), REAL[model]], REPOSITORY)
    folder.mkdir(parents=True, exist_ok=True)
    median, spread = WORDS[task]
    words = (median * TOKENS_PER_WORD / tokens_per_word(checkpoint), spread) if length is None else (2 * length, 0.0)
    paths = {}
    for number, (split, count) in enumerate((("train", rows), ("validation", 2), ("test", test_rows))):
        paths[split] = str(folder / f"rows-{split}.jsonl")
        with open(paths[split], "w", encoding="utf-8") as file:
            lines = made_up_rows(task, count, number, words)
            file.writelines(json.dumps(row) + "\n" for row in lines)
    settings = {**TASKS[task], "source": {"kind": "files", "paths": paths}, "evaluation_batch_size": 4 * batch}
    if length is not None:
        settings["max_source_length"] = length
    training = {"learning_rate": 1.0e-9, "epochs": 1, "batch_size": batch}
    source = {"kind": "directory", "path": str(checkpoint)}
    study = study_of(task, model, source, settings, training, threads, precision, device)
    return Work(folder, task, model, study).prepare()


def mini(
    folder: Path, results: Path, task: str, model: str, *, threads: int, precision: str = "fp32", device: str = "cpu"
) -> Work:
    """The mini study's model and rows, and its settings of training; `results`: those of the whole mini study."""
    mini_study = yaml.safe_load((REPOSITORY / "config" / "mini.yaml").read_text(encoding="utf-8"))
    settings = {key: value for key, value in mini_study["tasks"][task].items() if key != "kind"}
    source = {"kind": "directory", "path": str(results / "models" / model)}
    study = study_of(task, model, source, settings, mini_study["training"], threads, precision, device)
    study["methods"] = mini_study["methods"]
    study["overrides"] = [rule for rule in mini_study["overrides"] if _is_about(rule["where"], task, model)]
    return Work(folder, task, model, study).prepare()


def _is_about(where: dict[str, str], task: str, model: str) -> bool:
    return where.get("task", task) == task and where.get("model", model) == model


def tokens_per_word(checkpoint: Path) -> float:
    """Of the words that rows are made of."""
    from transformers import AutoTokenizer

    from tunegrid.data import miniworld

    tokenizer = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False)
    texts = list(islice(miniworld.documents(seed=100), 300))
    tokens = sum(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts)
    return tokens / sum(len(text.split()) for text in texts)


def made_up_rows(task: str, count: int, seed: int, words: tuple[float, float]) -> Iterator[dict[str, Any]]:
    """Rows in the Hub's formats, of words of the generated language world.

    Args:
        words: (median, spread of the logarithm) of the words of a text.
    """
    import numpy as np

    from tunegrid.data import miniworld

    random = np.random.default_rng([seed, count])
    median, spread = words
    stream = (word for document in miniworld.documents(seed=100 + seed) for word in document.split())

    def text(length: float) -> str:
        return " ".join(next(stream) for _ in range(max(3, round(length))))

    for number in range(count):
        length = median * float(np.exp(spread * random.standard_normal()))
        if task == "translation":
            translated = length * float(np.exp(0.1 * random.standard_normal()))
            yield {"translation": {"en": text(length), "de": text(translated)}}
        elif task == "sentiment":
            yield {"text": text(length), "label": number % 2}
        else:
            context = text(length).split()
            start = int(random.integers(len(context) - 2))
            answer = " ".join(context[start : start + 3])
            yield {
                "id": str(number),
                "title": f"article {number // 5}",
                "context": " ".join(context),
                "question": text(10),
                "answers": {"text": [answer], "answer_start": [len(" ".join([*context[:start], ""]))]},
            }
