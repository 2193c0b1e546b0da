"""The studies that die: very small models on generated rows, with everything on that a restart could get wrong.

Gradient accumulation, dropout, length buckets, early stopping and the choice of the best weights, for three methods and
three families. The lines of the log, the evaluations and the ends of epochs fall on different steps.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import chdir, redirect_stdout
from io import StringIO
from itertools import product
from pathlib import Path

import yaml

from tests.deaths.restart import clone
from tunegrid.study.cells import Cell, Run
from tunegrid.study.load import load_study

TASKS, MODELS, METHODS = ("qa", "translation", "sentiment"), ("t5", "flan-t5", "bart"), ("full", "lora", "adapters")
ROWS = {"train": 100, "validation": 24, "test": 24}
STEPS = 27  # of a run that early stopping does not end before
RUNS = {
    "study": "runs",
    "title": "Runs that die",
    "description": "For tests.",
    "seeds": [1],
    "grid": {"tasks": list(TASKS), "models": list(MODELS), "methods": list(METHODS)},
    "tasks": {
        task: {
            "kind": task,
            "source": {"kind": "generated", "rows": ROWS},
            "max_source_length": 64,
            "max_target_length": 32,
            "generation": {"max_new_tokens": 12},
        }
        for task in TASKS
    },
    "models": {model: {"family": model, "source": {"kind": "directory", "path": f"checkpoints/{model}"}} for model in MODELS},
    "methods": {
        "full": {"kind": "full"},
        "lora": {"kind": "lora", "r": 2, "alpha": 6, "dropout": 0.1},
        "adapters": {"kind": "adapters", "reduction_factor": 4, "dropout": 0.1},
    },
    "training": {
        "learning_rate": 0.02, "max_steps": STEPS, "batch_size": 6, "gradient_accumulation_steps": 2, "schedule": "constant",
        "warmup_ratio": 0.0, "logging_steps": 1, "evaluation_steps": 3, "keep_best": True, "early_stopping_patience": 2,
        "early_stopping_threshold": 0.02, "length_buckets": True,
    },
    "measure": {"latency_examples": 2},
    # One cell whose checkpoints are not where its evaluations are.
    "overrides": [{"where": {"model": "bart", "method": "lora"}, "training": {"keep_best": False, "checkpoint_steps": 4}}],
}  # fmt: skip
# A whole study, laid over it: fetching, tokenising, two cells that train at once, everything up to the report.
WHOLE_CELLS = (Cell("sentiment", "t5", "lora"), Cell("sentiment", "bart", "adapters"))
WHOLE = {
    "study": "whole",
    "grid": {
        "tasks": ["sentiment"],
        "models": ["t5", "bart"],
        "methods": ["lora", "adapters"],
        "exclude": [{"model": "t5", "method": "adapters"}, {"model": "bart", "method": "lora"}],
    },
}
# What the chains of stages beyond a plain run are, laid over the study of single runs.
TECHNIQUES_MODELS = ("t5", "bart")
TECHNIQUES = {
    "study": "techniques",
    "grid": {
        "models": list(TECHNIQUES_MODELS),
        "methods": ["full", "dpo", "ppo", "instruct"],
        "exclude": [{"task": task, "method": method} for task in ("qa", "sentiment") for method in ("dpo", "ppo")],
    },
    "methods": {
        "dpo": {"kind": "dpo", "sft": "full", "pairs": "worse", "reward": "judge"},
        "ppo": {
            "kind": "ppo",
            "sft": "full",
            "reward": "judge",
            "update": {"kind": "lora", "r": 2, "dropout": 0.0},
            "options": {"passes": 2, "minibatches": 2, "kl_target": 1.0},
        },
        "instruct": {
            "kind": "instruction",
            "method": {"kind": "lora", "r": 2, "dropout": 0.1},
            "limit": 60,
            "tasks": ["translation", "sentiment"],
            "wording_rows": 8,
        },
    },
    "preferences": {"worse": {"source": {"kind": "corrupted", "rule": "replace", "share": 0.5}}},
    "rewards": {"judge": {"pairs": "worse", "training": RUNS["training"] | {"learning_rate": 0.005}}},
    "overrides": [
        {"where": {"method": "dpo"}, "training": {"learning_rate": 0.001}},
        {
            "where": {"method": "ppo"},
            "training": {
                "learning_rate": 0.001,
                "keep_best": False,
                "early_stopping_patience": None,
                "early_stopping_threshold": 0.0,
                "evaluation_steps": 6,
                "gradient_accumulation_steps": 1,
                "checkpoint_steps": 4,
                "max_steps": 16,
            },
        },
        {"where": {"method": "instruct"}, "training": {"select_by": "metric", "validation_rows": 12}},
    ],
}
HUB_MODEL, HUB_DATA = "google-t5/t5-tiny", "stanfordnlp/imdb"
# What a study on the Hub fetches.
HUB = RUNS | {
    "study": "hub",
    "grid": {"tasks": ["sentiment"], "models": ["t5"], "methods": ["full"]},
    "tasks": {"sentiment": RUNS["tasks"]["sentiment"] | {"source": {"kind": "hub", "path": HUB_DATA}}},
    "models": {"t5": {"family": "t5", "source": {"kind": "hub", "id": HUB_MODEL}}},
    "methods": {"full": {"kind": "full"}},
    "overrides": [],
}


def run_cells() -> list[Cell]:
    """Returns one cell for each pair of a model and a method; each task has each model and each method once."""
    pairs = product(range(3), range(3))
    return [Cell(TASKS[(model + method) % 3], MODELS[model], METHODS[method]) for model, method in pairs]


def intervals(cell: Cell) -> tuple[int, int]:
    """Returns the steps between two evaluations and between two checkpoints of a run of the cell."""
    given = RUNS["training"]
    for override in RUNS["overrides"]:
        if all(getattr(cell, key) == value for key, value in override["where"].items()):
            given = given | override["training"]
    return given["evaluation_steps"], given.get("checkpoint_steps", given["evaluation_steps"])


class Prepared:
    """A folder from which every death gets its own copy: checkpoints of base models, configurations, and for single
    runs data, models and token ids, made by the real stages."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seconds = folder, 0.0
        folder.mkdir(parents=True)
        for name, values in {"runs": RUNS, "whole": WHOLE, "hub": HUB, "techniques": _merged(RUNS, TECHNIQUES)}.items():
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(values, sort_keys=False))

    def make(self) -> None:
        from tests.support.checkpoints import FAMILIES, make_checkpoint
        from tunegrid.stages.fetch_data import fetch_data
        from tunegrid.stages.fetch_model import fetch_model
        from tunegrid.stages.tokenise import tokenise

        start = time.monotonic()
        with chdir(self.folder):
            for family in FAMILIES:
                make_checkpoint(Path("checkpoints") / family, family)
            study = load_study("runs.yaml")
            paths = study.paths
            for task in TASKS:
                fetch_data(task, study.task(task), paths.data(task))
            for model in MODELS:
                fetch_model(study, model, paths.model(model))
            for task, model in {(cell.task, cell.model) for cell in run_cells()}:
                folders = paths.data(task), paths.model(model), paths.tokens(task, model)
                tokenise(study.task(task, model), study.models[model].family, *folders)
        self.seconds = time.monotonic() - start  # nearly all of it are imports

    def make_techniques(self) -> None:
        """Makes what the chains of the study of techniques start from: rows, token ids, and the runs of SFT."""
        from tunegrid.stages.evaluate import evaluate_run
        from tunegrid.stages.fetch_data import fetch_data
        from tunegrid.stages.fetch_model import fetch_model
        from tunegrid.stages.tokenise import tokenise
        from tunegrid.stages.train import train

        with chdir(self.folder), redirect_stdout(StringIO()):
            study = load_study("techniques.yaml")
            paths = study.paths
            for task in TASKS:
                fetch_data(task, study.task(task), paths.data(task))
            for model in TECHNIQUES_MODELS:
                fetch_model(study, model, paths.model(model))
                for task in TASKS:
                    folders = paths.data(task), paths.model(model), paths.tokens(task, model)
                    tokenise(study.task(task, model), study.models[model].family, *folders)
                run = Run(Cell("translation", model, "full"), 1)
                train(study, run, paths.run(run))
                evaluate_run(study, run, paths.run(run))

    def copy(self, folder: Path, *, results: bool) -> Path:
        """Makes the folder of a death; `results`: with data, models and token ids of the study of single runs."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("checkpoints", *(["results"] if results else [])):
            shutil.copytree(self.folder / name, folder / name)
        for file in self.folder.glob("*.yaml"):
            shutil.copy(file, folder)
        clone(folder)
        return folder


def _merged(below: dict, above: dict) -> dict:
    """A study laid over another one, as configuration files are: mappings are merged, all else is replaced."""
    nested = {key: _merged(below[key], value) for key, value in above.items()
              if isinstance(value, dict) and isinstance(below.get(key), dict)}  # fmt: skip
    return below | above | nested


def environment(folder: Path, root: Path, **more: str) -> dict[str, str]:
    """Returns the environment of commands: this checkout's package, one thread, no Hub, temporary files in `folder`."""
    import sys

    hidden = ("TUNEGRID_WARM", "HF_TOKEN", "SNAKEMAKE_PROFILE")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return inherited | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(root / "src"),
        "OMP_NUM_THREADS": "1",
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TMPDIR": str(folder / "tmp"),
        **more,
    }
