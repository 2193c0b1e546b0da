"""The plan of a study: its sums, its table and what it warns of."""

import csv
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.small_study import BASE
from tunegrid.cli import main
from tunegrid.common.digits import rough_duration
from tunegrid.runtime.device_models import GPUS, assumed_cpu, device
from tunegrid.study.cells import Cell
from tunegrid.study.load import load_study
from tunegrid.study.plan.forms import form_plan
from tunegrid.study.plan.jobs import Jobs
from tunegrid.study.plan.plan import plan
from tunegrid.study.plan.text import WIDTH, plan_text

HOUR = 3600


def test_a_gpu_without_bf16_is_planned_in_fp32_and_the_plan_says_so(paper):
    assert GPUS["t4"].flops("bf16") == GPUS["t4"].flops("fp32") == 8.1e12
    assert "no bf16" in plan_text(plan(paper(), GPUS["t4"]))


@pytest.mark.parametrize(("changes", "least", "most"), [
    ("{}", 8, 14),  # hours of one seed with all of WMT16, at 8 to 15 % of an H100's peak
    ("tasks: {translation: {source: {rows: {train: 500000}}}}", 2, 4),
])  # fmt: skip
def test_the_paper_on_an_h100_is_within_a_factor_of_two_of_the_reference(paper, changes, least, most):
    found = plan(paper(changes), GPUS["h100"])
    hours = found.sums["training"].seconds / HOUR
    assert least / 2 < hours < most * 2
    assert found.sums["training"].fast < found.sums["training"].seconds < found.sums["training"].slow


def test_parameters_of_the_nine_pairs_are_exact(paper):
    found = {str(cell): one for cell, one in plan(paper(), GPUS["h100"]).cells}
    totals = {"t5-base": 222_903_552, "bart-base": 139_420_416, "flan-t5-small": 76_961_152}
    for model, total in totals.items():
        full, lora = found[f"qa_{model}_full"], found[f"qa_{model}_lora"]
        assert (full.parameters, full.trainable, full.modules) == (total, total, 0)
        assert lora.parameters == total + lora.trainable
        assert lora.saved_bytes == 4 * lora.trainable
    assert found["qa_t5-base_lora"].modules == 12 * 6 + 12 * 10
    # A checkpoint of T5-base with its optimiser: 2.7 GB.
    assert found["qa_t5-base_full"].checkpoint_bytes == pytest.approx(2.7e9, rel=0.02)


def test_a_cell_that_does_not_fit_into_the_gpu_is_pointed_out(paper):
    found = plan(paper(), GPUS["t4"])
    assert any(warning.startswith("qa_t5-base_full needs about") for warning in found.warnings)
    text = plan_text(plan(paper("training: {batch_size: 1}\noverrides: []"), GPUS["h100"]))
    assert "needs about" not in text


def test_the_table_fits_into_120_columns_and_says_that_it_estimates(paper):
    text = plan_text(plan(paper("seeds: [1, 2, 3]"), GPUS["h100"]))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "81 jobs" in text
    assert "ESTIMATES" in text
    assert "resources/datasets.yaml" in text
    for cell in ("qa_t5-base_full", "sentiment_flan-t5-small_adapters"):
        assert cell in text


def test_the_command_prints_and_writes_csv(tiny, capsys, tmp_path):
    assert main(["plan", str(tiny), "--device", "a100", "--csv", str(tmp_path / "plan.csv")]) == 0
    assert "NVIDIA A100" in capsys.readouterr().out
    with (tmp_path / "plan.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 27
    assert rows[0]["task"] == "qa"
    assert int(rows[0]["trainable"]) == int(rows[0]["parameters"]) > 0
    assert main(["plan", str(tiny), "--device", "tpu"]) == 1


def test_a_model_that_nobody_knows_is_left_out_and_named(paper):
    found = plan(paper("models: {t5-base: {source: {id: someone/else}}}"), GPUS["h100"])
    assert sum(one is None for _, one in found.cells) == 9
    assert "Not in the sums" in found.warnings[0]
    assert "qa_t5-base_lora" in plan_text(found)
    job = Jobs(paper("models: {t5-base: {source: {id: someone/else}}}")).train(Cell("qa", "t5-base", "full"))
    assert job.runtime(1) >= 18 * 60


def test_a_search_is_counted(paper):
    search = "search: {factors: [0.3, 1.0, 3.0], train_share: 0.1, validation_rows: 500, seed: 9}"
    found, whole = plan(paper(search), GPUS["h100"]), plan(paper(), GPUS["h100"])
    assert found.sums["search"].jobs == 3 * 27
    assert 0.25 * whole.sums["training"].seconds < found.sums["search"].seconds < 0.7 * whole.sums["training"].seconds
    assert found.sums["training"] == whole.sums["training"]
    jobs, cell = Jobs(paper(search)), Cell("translation", "t5-base", "full")
    assert 10 <= jobs.trial(cell).runtime(1) < jobs.train(cell).runtime(1) / 4


def test_the_papers_own_study_is_planned():
    found = plan(load_study(ROOT / "config" / "paper.yaml"), GPUS["h100"])
    assert found.sums["training"].jobs == 81
    assert found.sums["evaluation, untuned"].jobs == 9
    assert 2 / 2 < found.sums["training"].seconds / HOUR / 3 < 4 * 2  # hours of one seed, with 500,000 pairs


@pytest.mark.parametrize("rows", [None, 0, 1, 2])
def test_a_file_with_too_few_rows_is_planned_for_the_data_stage_to_refuse(load, rows):
    """None: the file is not there."""
    study = load(BASE)
    for name in ("train.csv", "test.csv"):
        if rows is not None:
            Path(name).write_text("text,label\n" + "A film,positive\n" * rows)
    assert "sentiment_t5_lora" in plan_text(plan(study, device("cpu", 1, "fp32")))


def test_the_mini_study_in_other_forms():
    """Full fine-tuning and LoRA merge, adapters do not: 2 of 3 methods, 3 tasks, 3 models, 3 seeds, 3 forms."""
    mini = load_study(ROOT / "config/mini.yaml")
    formed = load_study(ROOT / "config/mini.yaml", ROOT / "config/overlays/mini-compress.yaml")
    cpu = assumed_cpu(1, "fp32")
    without, within = plan(mini, cpu), plan(formed, cpu)
    forms = within.sums["evaluation, forms"]
    assert "evaluation, forms" not in without.sums
    assert forms.jobs == 2 * 3 * 3 * 3 * 3
    merging = [one for cell, one in within.cells if cell.method != "adapters"]
    assert forms.seconds > 3 * 3 * sum(one.evaluation_seconds for one in merging)  # one form is tuned again, too
    assert within.total.jobs == without.total.jobs + forms.jobs
    more = within.disk.needs["predictions"] - without.disk.needs["predictions"]
    assert more == pytest.approx(without.disk.needs["predictions"] * forms.jobs / (81 + 9), rel=0.2)
    assert f"evaluation, forms     {rough_duration(forms.seconds)}, 162 jobs" in plan_text(within)
    jobs, cell = Jobs(formed), formed.cells()[0]
    weights = 4 * formed.shape(cell.model).parameters
    assert jobs.form(cell, "int8").memory == jobs.evaluate(*astuple(cell)).memory + 3 * weights
    assert jobs.form(cell, "int8").disk > weights
    assert {run.variant for run in formed.formed_runs()} == {"int8", "prune-30", "prune-30-tuned"}


def test_the_tuning_of_pruned_weights_is_planned(tiny_study):
    def planned(forms: str, more: str = ""):
        study = tiny_study(f"grid: {{methods: [full, lora]}}\ncompress: [{forms}]\n{more}")
        return study, plan(study, assumed_cpu(1, "fp32")).sums["evaluation, forms"]

    _, pruned = planned("prune-30")
    study, tuned = planned("prune-30-tuned", "recovery: {steps: 200, learning_rate: 1.0e-3}")
    _, longer = planned("prune-30-tuned", "recovery: {steps: 400, learning_rate: 1.0e-3}")
    assert pruned.jobs == tuned.jobs
    assert longer.seconds - pruned.seconds == pytest.approx(2 * (tuned.seconds - pruned.seconds), rel=0.01)
    jobs, cell = Jobs(study), study.cells()[0]
    assert jobs.form(cell, "prune-30-tuned").seconds > jobs.form(cell, "prune-30").seconds


def test_students_are_planned_with_their_teachers_answers_and_their_weights(tiny_study):
    def planned(forms: str, more: str = ""):
        study = tiny_study(f"grid: {{methods: [full, lora]}}\ncompress: [{forms}]\n{more}")
        return study, plan(study, assumed_cpu(1, "fp32"))

    steps = "distillation: {steps: 200, learning_rate: 1.0e-3"
    _, plain = planned("bf16")
    study, taught = planned("distil-1", steps + ", targets: answers}")
    _, untaught = planned("distil-1", steps + "}")
    seconds = [one.sums["evaluation, forms"].seconds for one in (plain, untaught, taught)]
    assert seconds == sorted(set(seconds))  # tuning, and then answers of a teacher, too
    jobs, cell = Jobs(study), study.cells()[0]
    shape = study.shape(cell.model)
    saved = form_plan(jobs.estimator, cell, "distil-1").saved_bytes
    student = replace(shape, decoder_layers=1)
    assert saved == 4 * student.parameters < 4 * shape.parameters
    assert taught.disk.needs["weights"] > plain.disk.needs["weights"]
    assert form_plan(jobs.estimator, cell, "distil-1").evaluation_seconds < jobs.estimator.cell(cell).evaluation_seconds
