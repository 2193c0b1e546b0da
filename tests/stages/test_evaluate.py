"""An answer beyond the 512th token, at true lengths, through the real stages: lost when cut, found by windows.

The checkpoint is a T5 whose weights are written by hand. It answers with the name in its input: a bright name before a
dim one, and a dim one with less confidence. So a window without the answer says something too, and wrongly.
"""

import json
from pathlib import Path

import pytest

from tests.support.seals import seal_base
from tunegrid.common.errors import TuneGridError
from tunegrid.study.load import load_study

NAMES, WIDTH = 12, 32
DIM, BRIGHT, START, CONSTANT = NAMES, NAMES + 1, NAMES + 2, NAMES + 3  # features, after one for each name
STUDY = """\
study: long
title: Long contexts
description: For tests.
seeds: [1]
grid: {tasks: [qa], models: [reader], methods: [full]}
tasks:
  qa:
    kind: qa
    source: {kind: files, paths: {train: rows.jsonl, validation: rows.jsonl, test: rows.jsonl}}
    max_source_length: 512
    max_target_length: 4
    generation: {max_new_tokens: 4}
models: {reader: {family: t5, source: {kind: directory, path: reader}}}
methods: {full: {kind: full}}
training: {learning_rate: 1.0e-4, max_steps: 1, batch_size: 2}
measure: {latency_examples: 2}
"""


def make_reader(folder: Path) -> None:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    names = [f"{kind}{number}" for kind in ("dim", "bright") for number in range(NAMES)]
    words = ["<pad>", "</s>", "<unk>", "question:", "context:", "who?", "word", *names]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **special).save_pretrained(folder)

    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(words), d_model=WIDTH, d_kv=WIDTH, d_ff=8, num_heads=1, num_layers=1, num_decoder_layers=1,
            tie_word_embeddings=False, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, dropout_rate=0.0,
        )
    )  # fmt: skip
    for name, parameter in model.named_parameters():
        parameter.data.fill_(1.0 if "norm" in name else 0.0)
    embedding, head = model.shared.weight.data, model.lm_head.weight.data
    embedding[:, CONSTANT] = 1
    embedding[0, START] = 1
    head[1, [DIM, BRIGHT]] = 40.0  # a name is followed by the end
    head[1, CONSTANT] = -4.0
    for number in range(NAMES):
        for kind, feature, strength in (("dim", DIM, 0.5), ("bright", BRIGHT, 1.0)):
            word = vocabulary[f"{kind}{number}"]
            embedding[word, number], embedding[word, feature] = strength, 1
            head[word, number] = 5.0
            head[word, feature] = 1.0
    # Which of the two names: the feature that comes along with it.
    attention = model.decoder.block[0].layer[1].EncDecAttention
    attention.q.weight.data[0, CONSTANT] = 4.0
    attention.k.weight.data[0, [DIM, BRIGHT]] = torch.tensor([1.0, 2.0])
    for feature in (*range(NAMES), DIM, BRIGHT):
        attention.v.weight.data[feature, feature] = 0.3 if feature < NAMES else 0.0
    attention.o.weight.data.copy_(torch.eye(WIDTH))
    # Of which kind it is goes to a feature of its own, or it would end the answer; of a dim name less sure.
    for seen, (kind, feature, strength) in enumerate((("dim", DIM, 0.1), ("bright", BRIGHT, 0.3)), start=CONSTANT + 1):
        attention.v.weight.data[seen, feature] = strength
        for number in range(NAMES):
            head[vocabulary[f"{kind}{number}"], seen] = 2.0
    model.save_pretrained(folder)


def context(length: int, **names: int) -> str:
    """Words, with names at the places given."""
    words = ["word"] * length
    for name, place in names.items():
        words[place] = name
    return " ".join(words)


ROWS = [
    (context(300, dim1=20, bright2=200), "bright2"),  # fits
    (context(900, dim3=100, bright4=700), "bright4"),
    (context(2000, bright5=1900, dim6=40, dim7=600, dim8=1200), "bright5"),
    (context(505, bright9=504), "bright9"),  # its last token is the 509th of the source, which has 510
    (context(700, bright10=30, dim11=650), "bright10"),  # beyond the cut is nothing but an error to be made
]


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """(predictions by answer, statistics of the tokens, metrics.json, predictions.parquet) of the untuned reader."""
    import pandas as pd

    from tunegrid.stages.evaluate import evaluate_untuned
    from tunegrid.stages.fetch_data import fetch_data
    from tunegrid.stages.fetch_model import fetch_model
    from tunegrid.stages.tokenise import tokenise

    monkeypatch.chdir(tmp_path)
    make_reader(Path("reader"))
    lines = [json.dumps({"question": "who?", "context": text, "answers": {"text": [name]}}) for text, name in ROWS]
    Path("rows.jsonl").write_text("\n".join(lines) + "\n")
    Path("study.yaml").write_text(STUDY)

    def run(changes: str):
        Path("changes.yaml").write_text(changes)
        study = load_study("study.yaml", "changes.yaml")
        paths = study.paths
        fetch_data("qa", study.task("qa"), paths.data("qa"))
        fetch_model(study, "reader", paths.model("reader"))
        tokenise(study.task("qa"), "t5", paths.data("qa"), paths.model("reader"), paths.tokens("qa", "reader"))
        evaluate_untuned(study, "qa", "reader", paths.untuned("qa", "reader"))
        frame = pd.read_parquet(paths.untuned("qa", "reader") / "predictions.parquet")
        stats = json.loads((paths.tokens("qa", "reader") / "stats.json").read_text())["splits"]["test"]
        metrics = json.loads((paths.untuned("qa", "reader") / "metrics.json").read_text())
        return dict(zip([name for _, name in ROWS], frame["prediction"], strict=True)), stats, metrics, frame

    return run


@pytest.mark.parametrize("beams", [1, 3])
def test_windows_find_the_answer_beyond_the_input_that_a_cut_loses(evaluated, beams):
    generation = f"generation: {{max_new_tokens: 4, num_beams: {beams}}}"
    said, stats, metrics, frame = evaluated(f"tasks: {{qa: {{long_contexts: cut, {generation}}}}}")
    assert said == {name: name for _, name in ROWS} | {"bright4": "dim3", "bright5": "dim6"}
    assert (stats["sources_cut"], stats["answers_lost"], stats["windows"]) == (3, 2, 0)
    assert metrics["metrics"]["exact_match"]["value"] == pytest.approx(3 / 5)
    assert "window" not in frame.columns

    said, stats, metrics, frame = evaluated(f"tasks: {{qa: {{long_contexts: windows, {generation}}}}}")
    assert said == {name: name for _, name in ROWS}
    assert (stats["sources_cut"], stats["answers_lost"], stats["rows_with_windows"]) == (0, 0, 3)
    # A source has 4 words and the end beside its context, so a window has 508 words, and begins 380 behind the last.
    assert stats["windows"] == 3 + 5 + 2
    assert frame["window"].tolist() == [0, 1, 4, 0, 0]
    assert frame["window_score"].isna().tolist() == [True, False, False, True, False]
    assert metrics["metrics"]["exact_match"]["value"] == 1
    assert (metrics["examples"], metrics["predictions_cut"]) == (5, 0)


def test_training_sees_the_window_that_holds_the_answer(evaluated):
    from tunegrid.data.tokens import read_tokens
    from tunegrid.stages.train import train
    from tunegrid.study.cells import Cell, Run

    evaluated("{}")
    study = load_study("study.yaml")
    run = Run(Cell("qa", "reader", "full"), 1)
    record = train(study, run, study.paths.run(run))
    assert (record.status, record.reason) == ("ok", None)
    entries = read_tokens(study.paths.tokens("qa", "reader") / "train.arrow").to_pylist()
    for entry in entries:
        assert entry["labels"][0] in entry["input_ids"]
    # None stands in the overlap of two windows, so each is learnt from once.
    assert [entry["row"] for entry in entries] == list(range(len(ROWS)))


# -- what cannot be computed is a row with a reason ---------------------------------------------------------------------


def rewrite(file: Path, **columns: object) -> None:
    """Gives all rows of a Parquet file the same values."""
    import pandas as pd

    pd.read_parquet(file).assign(**columns).to_parquet(file)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"label": "negative"}, "all training rows are “negative”"),
        ({"text": "👍 !"}, "no training row has a word of two letters or digits"),
        ({"text": "a b c"}, "no training row has a word of two letters or digits"),
    ],
)
def test_where_the_rows_do_not_define_a_baseline_the_majority_stands_in(tiny_study, columns, reason):
    from tunegrid.results.records import MetricsRecord, read_record
    from tunegrid.stages.evaluate import evaluate_baseline

    study = tiny_study()
    rewrite(study.paths.split("sentiment", "train"), **columns)
    record = evaluate_baseline(study, "sentiment", "ngram-logistic-regression", Path("ngrams"))
    majority = evaluate_baseline(study, "sentiment", "majority-class", Path("majority"))
    assert (record.status, record.note) == ("ok", f"{reason}; “Majority class” stands in")
    assert record.metrics == majority.metrics
    assert majority.note is None
    assert read_record(Path("ngrams/metrics.json"), MetricsRecord) == record


@pytest.mark.parametrize(
    "error", [ValueError("no way"), ZeroDivisionError("0"), TuneGridError("no"), MemoryError("no")]
)
def test_a_baseline_that_fails_is_a_row_with_its_reason(tiny_study, monkeypatch, error):
    import pandas as pd

    from tunegrid.stages.evaluate import evaluate_baseline
    from tunegrid.tasks import Task

    def fail(*_: object) -> list[str]:
        raise error

    monkeypatch.setattr(Task, "commonest_answer", fail)
    record = evaluate_baseline(tiny_study(), "sentiment", "majority-class", Path("majority"))
    assert (record.status, record.reason, record.metrics) == ("failed", f"{type(error).__name__}: {error}", {})
    assert len(pd.read_parquet("majority/predictions.parquet")) == 0


def test_a_metric_without_a_value_says_why(tiny_study):
    from tunegrid.stages.evaluate import evaluate_baseline

    study = tiny_study()
    for split in ("train", "test"):
        rewrite(study.paths.split("sentiment", split), label="negative")
    record = evaluate_baseline(study, "sentiment", "majority-class", Path("majority"))
    assert {name: (score.value, score.undefined) for name, score in record.metrics.items()} == {
        "accuracy": (1.0, None),
        "precision": (0.0, "no prediction is “positive”"),
        "recall": (0.0, "no test row is “positive”"),
        "f1": (0.0, "no prediction and no test row is “positive”"),
    }
    rewrite(study.paths.split("translation", "test"), source="ein Hund", target="ein Hund")
    bleu = evaluate_baseline(study, "translation", "copy", Path("copy")).metrics["bleu"]
    assert (bleu.value, bleu.undefined) == (0.0, "no prediction has 3 words")


@pytest.mark.parametrize(("model", "value"), [("t5", "nan"), ("bart", "nan"), ("t5", "inf")])
@pytest.mark.parametrize("task", ["qa", "sentiment"])
def test_answers_without_finite_logits_are_no_result(tiny_study, task, model, value):
    """Each would be the first label, or no text: today's weights with a number that no training leaves in them."""
    from safetensors.torch import load_file, save_file

    from tunegrid.stages.evaluate import evaluate_untuned

    study = tiny_study()
    assert evaluate_untuned(study, task, model, Path("whole")).status == "ok"
    file = study.paths.model(model) / "model.safetensors"
    tensors = load_file(file)
    name = next(
        name for name in tensors if name.endswith(("decoder.layers.0.fc2.weight", "0.layer.2.DenseReluDense.wo.weight"))
    )
    tensors[name].view(-1)[0] = float(value)
    save_file(tensors, file, metadata={"format": "pt"})
    seal_base(file.parent)
    record = evaluate_untuned(study, task, model, Path("broken"))
    assert (record.status, record.metrics) == ("failed", {})
    assert record.reason.startswith("the model's logits are not finite")


def test_a_baseline_that_is_killed_is_a_row_with_its_reason(tiny, tiny_study, monkeypatch):
    """As the system kills a process that takes its last memory."""
    import os
    import signal

    from tunegrid.cli import main
    from tunegrid.results.records import MetricsRecord, read_record
    from tunegrid.tasks import Task

    monkeypatch.delenv("TUNEGRID_WARM", raising=False)
    monkeypatch.setattr(Task, "commonest_answer", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    study = tiny_study()
    command = ["baseline", str(tiny), "--task", "sentiment", "--name", "majority-class", "--mem-mb", "1000"]
    assert main(command) == 0
    record = read_record(study.paths.baseline("sentiment", "majority-class") / "metrics.json", MetricsRecord)
    assert (record.status, record.metrics) == ("failed", {})
    assert record.reason.startswith("killed by signal 9 (SIGKILL)")
    assert "1000 MB asked for" in record.reason
