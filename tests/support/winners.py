"""A small study with trained and evaluated runs: each method on each task, each family with each method that it can have."""

import shutil
from pathlib import Path

from tests.support.seals import seal_base, seal_run
from tunegrid.study.cells import Cell, Run
from tunegrid.study.load import load_study

CONFIG = ["tiny.yaml", "changes.yaml"]

# Contexts in windows, reviews cut, translations by beams: everything that an answer can depend on is switched on.
CHANGES = """\
seeds: [1]
grid: {methods: [full, lora, adapters, bitfit], exclude: [{model: t5, method: bitfit}, {model: flan-t5, method: bitfit}]}
methods: {bitfit: {kind: bitfit}}
tasks:
  qa: {max_source_length: 30, long_contexts: windows, window_overlap: 4}
  translation: {generation: {max_new_tokens: 6, num_beams: 3, length_penalty: 0.6}}
  sentiment: {max_source_length: 56, evaluation_batch_size: 4}
training: {learning_rate: 1.0e-3, max_steps: 2}
"""
CELLS = [
    Cell("qa", "t5", "full"), Cell("translation", "flan-t5", "full"), Cell("sentiment", "bart", "full"),
    Cell("qa", "flan-t5", "lora"), Cell("translation", "bart", "lora"), Cell("sentiment", "t5", "lora"),
    Cell("qa", "bart", "adapters"), Cell("translation", "t5", "adapters"), Cell("sentiment", "flan-t5", "adapters"),
    Cell("qa", "bart", "bitfit"), Cell("translation", "bart", "bitfit"), Cell("sentiment", "bart", "bitfit"),
]  # fmt: skip


def train_all(prepared: Path, folder: Path):
    """Makes the study in a folder, which is the current one, from the tiny study with its data, models and tokens."""
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.tokenise import tokenise
    from tunegrid.stages.train import train

    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    Path("changes.yaml").write_text(CHANGES, encoding="utf-8")
    study = load_study(*CONFIG)
    paths = study.paths
    for model in study.grid.models:
        tell_texts_apart(paths.model(model), 0.2 if model == "bart" else 0.5)
        seal_base(paths.model(model))
    for task in ("qa", "sentiment"):
        for model in study.grid.models:
            family = study.models[model].family
            tokenise(study.task(task, model), family, paths.data(task), paths.model(model), paths.tokens(task, model))
    for cell in CELLS:
        run = Run(cell, 1)
        place = paths.run(run)
        train(study, run, place)
        as_after_long_training(study, run)
        evaluate_run(study, run, place)
    return study


# Parts of the names of the weights that each method trains, and the scale of their shift: it has to alter answers and
# leave them dependent on the text.
TRAINED = {
    "full": ([""], 0.05),
    "lora": (["lora_B"], 0.2),
    "adapters": (["adapters.tuned"], 0.3),
    "bitfit": ([".bias"], 0.05),
    "prefix": (["control_trans"], 0.5),
    "mam": (["control_trans", "adapters.tuned"], 0.3),
    "prompt": (["prompt_encoder"], 1.0),
    "ptuning": (["prompt_encoder"], 1.0),
    "ia3": (["ia3_l"], 0.3),
}


def tell_texts_apart(checkpoint: Path, scale: float) -> None:
    """Gives a checkpoint weights that are large enough for its answers to depend on the text."""
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(checkpoint)
    _move(model, [""], scale, dimensions=2)
    model.save_pretrained(checkpoint)


def as_after_long_training(study, run: Run) -> None:
    """Shifts the weights that a run's method trains, so that an answer shows whether they were loaded.

    A training at a rate at which a few steps would do the same ends elsewhere on another processor, where a model may
    give one answer to everything.
    """
    weights = study.paths.run(run) / "weights"
    method = study.method(run.cell)
    model = method.load(study.paths.model(run.cell.model), weights)
    parts, scale = TRAINED[run.cell.method]
    assert _move(model, parts, scale) > 0
    shutil.rmtree(weights)
    weights.mkdir()
    method.save(model, weights)
    seal_run(study, run)


def _move(model, parts: list[str], scale: float, dimensions: int = 1) -> int:
    import torch

    generator = torch.Generator().manual_seed(3)
    named = model.named_parameters()
    chosen = [p for name, p in named if any(part in name for part in parts) and p.dim() >= dimensions]
    for parameter in chosen:
        parameter.data += torch.randn(parameter.shape, generator=generator) * scale
    return len(chosen)


def predictions(study, cell: Cell):
    """Reads the predictions of the evaluation of a cell's run."""
    import pandas as pd

    return pd.read_parquet(study.paths.run(Run(cell, 1)) / "predictions.parquet")


def recommend(study, **cells: str) -> None:
    """Writes recommendation.csv: task -> `model method`, `model method form`, or "" for none."""
    lines = ["study,task,model,method,form,metric,score,stability,tied,rationale,left_out"]
    for task, cell in cells.items():
        model, method, form = (*cell.split(), "", "", "")[:3]
        lines.append(f"tiny,{task},{model},{method},{form},x,0.5,0.9,,{'Best.' if cell else 'No cell has a result.'},")
    study.paths.tables.mkdir(parents=True, exist_ok=True)
    (study.paths.tables / "recommendation.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
