"""Whether students learn more from their teacher's answers or from the rows' own targets, on validation rows.

Usage: python benchmarks/distillation_targets.py FOLDER [options]; --help lists them.

The cells of the mini study that tune everything are trained as the study says, or for `--teacher-steps`. Of each run a
student is made twice and tuned by the package's own code (`stages.tune_form`), with the same layers, batches, seed and
steps, at the cell's own learning rate: on its teacher's answers, and on the rows. No test row is predicted. A line is
added to FOLDER/students.csv for each student as soon as it is there; a run that FOLDER holds is not trained again.
"""

import argparse
import csv
import os
import time
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MINI = Path(__file__).resolve().parents[1] / "config" / "mini.yaml"
TARGETS = ("answers", "rows")
HEADS = ("task", "model", "seed", "steps", "rate", "targets", "teacher", "untuned", "student", "cpu_seconds")
OVERLAY = """\
study: distillation-targets
seeds: [{seeds}]
grid: {{tasks: [{tasks}], models: [{models}], methods: [full]}}
compress: [{form}]
distillation: {{steps: {steps}, learning_rate: 1.0e-3}}
"""


def main() -> None:
    options = parser().parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(options.folder)  # results are written below it
    Path("overlay.yaml").write_text(overlay(options), encoding="utf-8")
    from tunegrid.cli.command import prepare_to_compute
    from tunegrid.study.load import load_study

    files = [str(MINI), "overlay.yaml"]
    study = load_study(*files)
    prepare_to_compute(study, model=True)
    prepare(study, files)
    with Path("students.csv").open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADS)
        if not file.tell():
            writer.writeheader()
        for seed, task, model in product(options.seeds, options.tasks, options.models):
            for row in students(study, options.form, task, model, seed):
                writer.writerow(row)
                file.flush()
                print(row, flush=True)


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("folder", type=Path, help="of its results")
    arguments.add_argument("--tasks", nargs="+", default=["translation", "qa", "sentiment"])
    arguments.add_argument("--models", nargs="+", default=["t5", "bart", "flan-t5"])
    arguments.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    arguments.add_argument("--form", default="distil-1", help="of the students")
    arguments.add_argument("--steps", type=int, default=300, help="optimiser steps of a student")
    arguments.add_argument("--teacher-steps", type=int, help="of a teacher; default: the mini study's own")
    return arguments


def overlay(options: argparse.Namespace) -> str:
    lists = {name: ", ".join(map(str, getattr(options, name))) for name in ("seeds", "tasks", "models")}
    text = OVERLAY.format(form=options.form, steps=options.steps, **lists)
    if options.teacher_steps is None:
        return text
    # A list replaces that of the study below: its own rules are written again, with the steps after them.
    import yaml

    rules = yaml.safe_load(MINI.read_text(encoding="utf-8"))["overrides"]
    longer = {"where": {"method": "full"}, "training": {"max_steps": options.teacher_steps}}
    rules = [rule for rule in rules if rule["where"].get("method") == "full"]
    return text + yaml.safe_dump({"overrides": [*rules, longer]})


def prepare(study: Any, files: list[str]) -> None:
    """Runs the stages before training, by the commands of the package, where their results are missing."""
    from tunegrid.cli import main as tunegrid

    paths, tasks, models = study.paths, study.grid.tasks, study.grid.models
    jobs = [(paths.data_card(task), ["fetch-data"], ["--task", task]) for task in tasks]
    jobs += [(paths.model(model) / "card.json", ["fetch-model"], ["--model", model]) for model in models]
    for task, model in product(tasks, models):
        there = paths.tokens(task, model) / "stats.json"
        jobs.append((there, ["tokenise"], ["--task", task, "--model", model]))
    for there, command, names in jobs:
        if not there.is_file() and tunegrid([*command, *files, *names]):
            raise SystemExit(f"{' '.join(command + names)} failed")


def students(study: Any, form_name: str, task: str, model: str, seed: int) -> list[dict[str, Any]]:
    """Trains a run and its students; the score of each, and of the untuned model, on validation rows."""
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.forms import form_named
    from tunegrid.models.load import load_model
    from tunegrid.stages.train import train
    from tunegrid.stages.training_data import training_data
    from tunegrid.stages.tune_form import tune_form
    from tunegrid.study.cells import Cell, Run

    run, form, base = Run(Cell(task, model, "full"), seed), form_named(form_name), study.paths.model(model)
    folder, method = study.paths.run(run), study.method(run.cell)
    if not (folder / "train.json").is_file():
        train(study, run, folder)
    tokenizer, rate = load_tokenizer(base), study.training_settings(run.cell).learning_rate
    metric = training_data(study, run.cell).metric(tokenizer)
    teacher = method.load(base, folder / "weights").eval()
    known = {"task": task, "model": model, "seed": seed, "steps": study.distillation.steps, "rate": rate}
    known |= {"teacher": round(metric(teacher), 4), "untuned": round(metric(load_model(base).eval()), 4)}
    rows = []
    for targets in TARGETS:
        asked = study.distillation.model_copy(update={"targets": targets, "learning_rate": rate})
        varied = study.model_copy(update={"distillation": asked})
        with TemporaryDirectory() as place:
            made = form.make(teacher, tokenizer, Path(place), family=method.family, device="cpu", threads=1)
            student, began = made.predictor, time.process_time()
            tune_form(varied, run, form, student, teacher, tokenizer, Path(place))
        seconds = round(time.process_time() - began, 1)
        rows.append(known | {"targets": targets, "student": round(metric(student), 4), "cpu_seconds": seconds})
    return rows


if __name__ == "__main__":
    main()
