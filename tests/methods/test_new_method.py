"""A new method is one class and its name: an objective that reads rows, a soft prompt, a further input of the training."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support import ROOT
from tests.support.running import MINI
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.methods.base import Method
from tunegrid.methods.full import Full
from tunegrid.runtime.device_models import assumed_cpu
from tunegrid.study.cells import Cell, Run
from tunegrid.study.plan.cells import Estimator
from tunegrid.study.stage_settings import run_settings

FAMILIES = ("t5", "flan-t5", "bart")


class Rewarded(Full):
    """Weights the loss of each example by a reward, which needs the task and the row."""

    rewards: ClassVar[dict[int, float]] = {}

    def loss(self, session, batch):
        import torch

        rows = batch["row"].tolist()
        inputs = {name: tensor for name, tensor in batch.items() if name != "row"}
        logits = session.model(**inputs).logits
        losses = torch.nn.functional.cross_entropy(logits.mT, inputs["labels"], reduction="none").sum(-1)
        rewards = [session.task.score(["a red house"], [session.rows[row]]).metrics["chrf"] for row in rows]
        self.rewards.update(zip(rows, rewards, strict=True))
        return (losses * losses.new_tensor(rewards)).mean()


class SoftPrompt(Method):
    """Trains vectors in front of the source's embeddings; the model stays as it is."""

    title = "Soft prompt"
    library = "peft"
    trains = "prompt"
    added_tokens = 5

    def inject(self, model):
        from peft import PromptTuningConfig, TaskType, get_peft_model

        model.name_or_path = model.config.name_or_path = ""
        config = PromptTuningConfig(
            task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=self.added_tokens, num_transformer_submodules=1
        )
        return get_peft_model(model, config)

    def injected_modules(self, model):
        from peft import PromptEmbedding

        return [name for name, module in model.named_modules() if isinstance(module, PromptEmbedding)]

    def expected_modules(self, shape):
        return 1

    def trainable_count(self, shape):
        return self.added_tokens * shape.d_model

    added_count = trainable_count

    def activation_bytes(self, shape, source, target):
        return 4 * self.added_tokens * shape.d_model, 0

    def save(self, model, folder):
        model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)

    def load(self, base, weights):
        from peft import PeftModel

        return PeftModel.from_pretrained(self.load_base(base), weights, local_files_only=True)


class Taught(Full):
    """Trains with a file that something else has to make."""

    teacher = Path("teacher/temperature.json")

    def needs(self):
        return [self.teacher]

    def loss(self, session, batch):
        temperature = json.loads(self.teacher.read_text())
        inputs = {name: tensor for name, tensor in batch.items() if name != "row"}
        return session.model(**inputs).loss / temperature


@pytest.fixture
def study_with(tiny_study, monkeypatch):
    """The tiny study with a method in the place of `full`; returns (it, a function that trains a cell)."""
    from tunegrid.stages.train import train

    def make(method: type[Method]):
        monkeypatch.setitem(METHODS, "full", method)
        study = tiny_study("training: {max_steps: 3, learning_rate: 0.3}")

        def run(task: str, model: str):
            run = Run(Cell(task, model, "full"), 1)
            folder = study.paths.run(run)
            return run, folder, train(study, run, folder)

        return study, run

    return make


def test_an_objective_finds_the_task_and_the_row_of_each_example(study_with, monkeypatch):
    monkeypatch.setattr(Rewarded, "rewards", {})
    study, train = study_with(Rewarded)
    _, _, record = train("translation", "t5")
    assert (record.status, record.reason, record.cost.steps) == ("ok", None, 3)
    assert len(Rewarded.rewards) == record.cost.examples == 24
    from tunegrid.data.parquet import read_parquet

    rows, task = read_parquet(study.paths.split("translation", "train")), study.task("translation")
    for number, reward in Rewarded.rewards.items():
        assert reward == task.score(["a red house"], [rows[number]]).metrics["chrf"]
    assert len(set(Rewarded.rewards.values())) > 3


def test_rows_are_not_read_for_methods_that_do_not_ask(study_with):
    from tunegrid.stages.session import prepare

    study, _ = study_with(Full)
    run = Run(Cell("qa", "t5", "full"), 1)
    session = prepare(study, run, study.method(run.cell), run_settings(study, run.cell))
    study.paths.split("qa", "train").unlink()
    study.method(run.cell).fit(session)
    with pytest.raises(TuneGridError, match="no such file"):
        _ = session.rows


@pytest.mark.parametrize("family", FAMILIES)
def test_a_soft_prompt_trains_saves_loads_generates_and_chooses_labels(study_with, family):
    import torch

    from tunegrid.data.tokens import load_tokenizer, read_tokens
    from tunegrid.models.decoding import Generation
    from tunegrid.models.generate import choose_labels, generate
    from tunegrid.stages.evaluate import evaluate_run

    study, train = study_with(SoftPrompt)
    run, folder, record = train("sentiment", family)
    assert (record.status, record.reason) == ("ok", None)
    assert record.parameters.trainable == SoftPrompt.added_tokens * 16
    metrics = evaluate_run(study, run, folder)
    assert metrics.status == "ok"

    base = study.paths.model(family)
    model = study.method(run.cell).load(base, folder / "weights").eval()
    plain = model.get_base_model()
    tokenizer = load_tokenizer(base)
    sources = read_tokens(study.paths.tokens("sentiment", family) / "test.arrow").column("input_ids").to_pylist()
    labels = ["positive", "negative"]
    options = {"batch_size": 4, "precision": "fp32"}
    _, scores = choose_labels(model, tokenizer, sources, labels, **options)
    _, scores_without = choose_labels(plain, tokenizer, sources, labels, **options)
    assert abs(scores.to_numpy() - scores_without.to_numpy()).max() > 1e-3, "the prompt counts"
    for index in (0, 5):
        for label in labels:  # as the model itself finds it
            target = tokenizer(text_target=label, return_tensors="pt")["input_ids"]
            ids = torch.tensor([sources[index]])
            with torch.inference_mode():
                loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=target).loss
            assert scores[f"score_{label}"][index] == pytest.approx(-loss.item() * target.numel(), rel=1e-4)
    limit = Generation(max_new_tokens=6)
    written = generate(model, tokenizer, sources, limit, **options, scored=range(len(sources)))
    without = generate(plain, tokenizer, sources, limit, **options, scored=range(len(sources)))
    assert [answer.score for answer in written] != [answer.score for answer in without]
    alone = generate(model, tokenizer, sources[2:3], limit, **options, scored=[0])[0]
    assert (alone.text, alone.score) == (written[2].text, pytest.approx(written[2].score, rel=1e-4))


def test_the_plan_has_a_soft_prompt_by_its_own_answers(study_with):
    study, train = study_with(SoftPrompt)
    _, _, record = train("qa", "t5")
    planned = Estimator(study, assumed_cpu(1, "fp32")).cell(Cell("qa", "t5", "full"))
    assert (planned.modules, planned.trainable) == (1, record.parameters.trainable)
    assert planned.parameters == record.parameters.total
    cost = record.cost
    # By the mean length, where the run has that of its own rows.
    assert planned.source_tokens == pytest.approx(cost.tokens - planned.target_tokens, rel=0.2)
    per_token = 4 * SoftPrompt.added_tokens * cost.examples
    stacks = study.method(Cell("qa", "t5", "full")).stacks(study.shape("t5"))
    assert (stacks.encoder_trainable, stacks.decoder_trainable) == (0, 0)
    tuned = 4 * stacks.encoder * planned.source_tokens + 4 * (stacks.decoder + stacks.head) * planned.target_tokens
    assert planned.flops - tuned == pytest.approx(per_token * stacks.encoder, rel=1e-6)
    assert cost.training_flops == pytest.approx(planned.flops, rel=0.2)


def test_what_a_method_needs_has_to_be_there(study_with):
    _, train = study_with(Taught)
    with pytest.raises(TuneGridError, match=r"temperature\.json: missing, but qa_t5_full is trained with it"):
        train("qa", "t5")
    Taught.teacher.parent.mkdir()
    Taught.teacher.write_text("2.0")
    assert train("qa", "t5")[2].status == "ok"


PLANNED = """\
import sys
from snakemake.cli import main
from tests.methods.test_new_method import METHODS, Taught
METHODS["full"] = Taught
main(["--snakefile", sys.argv[1], "--configfile", sys.argv[2], "--cores", "1", "--dry-run", "-p", "cell_qa_t5_full"])
"""


def test_what_a_method_needs_is_an_input_of_the_training_rule(tmp_path):
    command = [sys.executable, "-c", PLANNED, ROOT / "Snakefile", MINI]
    options = {"cwd": tmp_path, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}

    def plan() -> str:
        environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        return subprocess.run(command, env=environment, **options).stdout

    missing = plan()
    assert "Missing input files for rule train_qa_t5_full" in missing
    assert "teacher/temperature.json" in missing
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher/temperature.json").write_text("2.0")
    assert "This was a dry-run" in plan()
