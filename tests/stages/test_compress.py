"""A run in other forms: evaluated on the same rows by the same code, beside its own results, and compared with them."""

import pandas as pd
import pytest

from tests.support.extras import needs_ctranslate2
from tests.support.made_runs import trained
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.results.records import MetricsRecord, read_record
from tunegrid.results.tables import build_tables
from tunegrid.study.cells import Cell, Run

CHANGES = """\
seeds: [1]
grid: {tasks: [translation], models: [t5], methods: [full, lora, adapters]}
training: {learning_rate: 0.05, max_steps: 20}
measure: {latency_examples: 3}
"""
FORMS = ["bf16", "prune-30", "prune-2-4"]
DISTILLATION = "distillation: {steps: 20, learning_rate: 0.01}\n"


def test_forms_are_evaluated_beside_the_run_and_compared_with_it(tiny_study):
    """Of the methods that merge; the table says what changed, what it saves, and that pruning saves nothing."""
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.expected import expected

    study = tiny_study(CHANGES + f"compress: [{', '.join(FORMS)}]\n")
    run, folder = trained(study, "translation", "lora")
    own = evaluate_run(study, run, folder)
    before = (folder / "predictions.parquet").read_bytes()
    config = ["tiny.yaml", "changes.yaml"]
    names = ["--task", "translation", "--model", "t5", "--method", "lora", "--seed", "1"]
    for form in FORMS:
        assert main(["compress", *config, *names, "--form", form]) == 0
    assert (folder / "predictions.parquet").read_bytes() == before

    places = {form: study.paths.run(Run(run.cell, 1, form)) for form in FORMS}
    records = {form: read_record(place / "metrics.json", MetricsRecord) for form, place in places.items()}
    assert {form: record.form.name for form, record in records.items()} == {form: form for form in FORMS}
    assert own.form is None
    assert [record.provenance.precision for record in records.values()] == ["bf16", "fp32", "fp32"]
    assert {record.form.plain_bytes for record in records.values()} == {records["prune-30"].form.saved_bytes}
    assert all(record.cost.inference.unmerged.latency_seconds > 0 for record in records.values())

    table = build_tables(study.paths.root, expected(study), resamples=50)["forms"]
    assert set(table[table["method"] == "full"]["status"]) == {"missing"}  # its runs are not there
    table = table[table["method"] == "lora"].set_index("form")
    assert list(table.index) == FORMS
    for form, row in table.iterrows():
        frames = [pd.read_parquet(place / "predictions.parquet")["prediction"] for place in (places[form], folder)]
        assert row["changed"] == (frames[0] != frames[1]).sum()
        assert row["examples"] == own.examples
        assert row["score"] == pytest.approx(records[form].metrics["bleu"].value)
        assert row["plain_score"] == pytest.approx(own.metrics["bleu"].value)
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    assert table.loc["bf16", "saved_bytes"] == pytest.approx(table.loc["bf16", "plain_bytes"] / 2, rel=0.02)
    assert table.loc["prune-2-4", "zeros"] == pytest.approx(0.5, abs=0.01)
    assert table.loc["prune-30", "saves"].startswith("Nothing when it runs")


@needs_ctranslate2
def test_int8_is_computed_by_ctranslate2_and_the_record_says_so(tiny_study):
    from tunegrid.stages.compress import evaluate_form

    study = tiny_study(CHANGES + "compress: [int8]\n")
    run, _ = trained(study, "translation", "full")
    record = evaluate_form(study, run, "int8", study.paths.run(Run(run.cell, 1, "int8")))
    assert record.provenance.engine.startswith("ctranslate2 ")
    assert record.provenance.precision == "int8"
    assert record.form.saved_bytes < record.form.plain_bytes
    assert record.cost.inference.merge == "converted"


def test_pruned_weights_can_be_tuned_again_and_stay_pruned(tiny_study, monkeypatch):
    from tunegrid.models.forms.pruned import linear_weights
    from tunegrid.stages import compress

    recovery = "recovery: {steps: 30, learning_rate: 0.01}\n"
    study = tiny_study(CHANGES + "compress: [prune-2-4, prune-2-4-tuned]\n" + recovery)
    run, _ = trained(study, "translation", "lora")
    losses, zeros, tune = [], [], compress.tune_form

    def observed(study, run, form, model, *arguments):
        before = [(weight == 0).clone() for weight in linear_weights(model)]
        summary, seconds = tune(study, run, form, model, *arguments)
        after = [weight == 0 for weight in linear_weights(model)]
        zeros.append(all(bool(now[then].all()) for then, now in zip(before, after, strict=True)))
        losses.extend(row["loss"] for row in summary.history if "loss" in row)
        return summary, seconds

    monkeypatch.setattr(compress, "tune_form", observed)
    records = [
        compress.evaluate_form(study, run, name, study.paths.run(Run(run.cell, 1, name))) for name in study.compress
    ]
    assert [record.status for record in records] == ["ok", "ok"]
    assert zeros == [True]
    assert losses[-1] < losses[0]
    assert [record.form.zeros for record in records] == [pytest.approx(0.5, abs=0.01)] * 2
    assert records[0].form.recovery_seconds is records[0].form.weights is None
    assert records[1].form.recovery_seconds > 0


def test_a_student_is_tuned_on_its_teachers_answers_and_kept(tiny_study, monkeypatch):
    """Of the layers that it keeps, its parameters, steps, seconds and bytes the record tells; no label is learnt."""
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.load import load_model
    from tunegrid.models.seal import digests
    from tunegrid.stages import compress, tune_form
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.expected import expected

    study = tiny_study(CHANGES + f"compress: [distil-1]\n{DISTILLATION.replace('}', ', targets: answers}')}")
    run, folder = trained(study, "translation", "lora")
    own, learnt, fit = evaluate_run(study, run, folder), [], tune_form._fit

    def seen(study, run, model, tokenizer, data, *rest):
        learnt.extend(data.train.to_pylist())
        return fit(study, run, model, tokenizer, data, *rest)

    monkeypatch.setattr(tune_form, "_fit", seen)
    place = study.paths.run(Run(run.cell, 1, "distil-1"))
    record = compress.evaluate_form(study, run, "distil-1", place)

    base, method, cell = study.paths.model("t5"), study.method(run.cell), run.cell
    teacher = method.merge(method.load(base, folder / "weights")).eval()
    tokenizer, task = load_tokenizer(base), study.task(cell.task, cell.model)
    whole = teacher.config
    assert record.form.decoder_layers == [0]
    assert record.form.encoder_layers == list(range(whole.num_layers))
    student = load_model(place / "weights")
    assert (student.config.num_layers, student.config.num_decoder_layers) == (whole.num_layers, 1)
    assert record.form.parameters == sum(p.numel() for p in student.parameters())
    assert record.form.parameters < sum(p.numel() for p in teacher.parameters())
    assert record.form.weights == digests(place / "weights")
    assert (record.form.tuning_steps, record.status) == (20, "ok")
    assert min(record.form.recovery_seconds, record.form.answering_seconds) > 0
    assert record.form.saved_bytes < record.form.plain_bytes
    # Its tuning altered the layers that it was made of.
    assert (
        not student.decoder.block[0]
        .layer[0]
        .SelfAttention.q.weight.equal(teacher.decoder.block[0].layer[0].SelfAttention.q.weight)
    )
    # What it learnt are the teacher's answers to rows of the training split.
    from tunegrid.models.generate import generate

    sources = [entry["input_ids"] for entry in learnt]
    answers = generate(teacher, tokenizer, sources, task.settings.generation, batch_size=8, precision="fp32")
    assert [tokenizer.decode(entry["labels"], skip_special_tokens=True).strip() for entry in learnt] == [
        answer.text for answer in answers
    ]
    row = build_tables(study.paths.root, expected(study), resamples=50)["forms"].set_index(["method", "form"])
    row = row.loc[("lora", "distil-1")]
    assert row["score"] == pytest.approx(record.metrics["bleu"].value)
    assert row["plain_score"] == pytest.approx(own.metrics["bleu"].value)
    assert (row["decoder_layers"], row["parameters"], row["tuning_steps"]) == (1, record.form.parameters, 20)
    assert row["tuning_seconds"] == pytest.approx(record.form.recovery_seconds + record.form.answering_seconds)


def test_a_student_learns_the_rows_where_no_teacher_is_asked_for(tiny_study, monkeypatch):
    from tunegrid.stages import compress, tune_form
    from tunegrid.stages.training_data import training_data

    study = tiny_study(CHANGES + "compress: [distil-1]\n" + DISTILLATION)
    run, _ = trained(study, "translation", "full")
    learnt, fit = [], tune_form._fit

    def seen(study, run, model, tokenizer, data, *rest):
        learnt.append(data.train)
        return fit(study, run, model, tokenizer, data, *rest)

    monkeypatch.setattr(tune_form, "_fit", seen)
    record = compress.evaluate_form(study, run, "distil-1", study.paths.run(Run(run.cell, 1, "distil-1")))
    assert learnt[0].equals(training_data(study, run.cell).train)
    assert record.form.answering_seconds is None
    assert record.form.recovery_seconds > 0


def test_a_students_weights_that_are_zero_learn_like_the_others(tiny_study, monkeypatch):
    from tunegrid.models.forms.pruned import linear_weights
    from tunegrid.stages import compress

    study = tiny_study(CHANGES + "compress: [distil-1]\n" + DISTILLATION)
    run, _ = trained(study, "translation", "full")
    moved, tune = [], compress.tune_form

    def observed(study, run, form, model, *arguments):
        weight = linear_weights(model)[0]
        weight.data[0] = 0.0
        tuning = tune(study, run, form, model, *arguments)
        moved.append(bool(weight[0].any()))
        return tuning

    monkeypatch.setattr(compress, "tune_form", observed)
    compress.evaluate_form(study, run, "distil-1", study.paths.run(Run(run.cell, 1, "distil-1")))
    assert moved == [True]


def test_a_teacher_answers_no_more_rows_than_its_student_will_see(tiny_study):
    from tunegrid.stages.training_data import training_data
    from tunegrid.stages.tune_form import drawn
    from tunegrid.training.settings import Training

    study = tiny_study(CHANGES)
    run, _ = trained(study, "translation", "full")
    rows = training_data(study, run.cell).train
    few = drawn(rows, Training(learning_rate=0.1, max_steps=3, batch_size=2), seed=1)
    assert len(few) == 6 < len(rows)
    assert len(set(few["row"].to_pylist())) == 6
    assert drawn(rows, Training(learning_rate=0.1, max_steps=3, batch_size=2), seed=1).equals(few)
    assert drawn(rows, Training(learning_rate=0.1, max_steps=1_000), seed=1) is rows


def test_labels_are_answered_by_the_words_that_stand_for_them(tiny_study):
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.stages.training_data import training_data
    from tunegrid.stages.tune_form import answered

    study = tiny_study(CHANGES.replace("[translation]", "[sentiment]"))
    run, folder = trained(study, "sentiment", "full")
    base, method, data = study.paths.model("t5"), study.method(run.cell), training_data(study, run.cell)
    teacher, tokenizer = method.load(base, folder / "weights").eval(), load_tokenizer(base)
    tokens = data.train.slice(0, 6)
    labelled = answered(teacher, tokenizer, data.task, tokens, "fp32")
    words = {data.task.word(label) for label in data.task.labels()}
    assert {tokenizer.decode(ids, skip_special_tokens=True) for ids in labelled["labels"].to_pylist()} <= words
    assert labelled.schema == tokens.schema
    assert labelled["input_ids"].equals(tokens["input_ids"])


def test_only_cells_that_merge_have_forms(tiny_study, capsys):
    study = tiny_study(CHANGES + "compress: [bf16, prune-30]\n")
    assert {run.cell.method for run in study.formed_runs()} == {"full", "lora"}
    assert len(study.formed_runs()) == 4
    names = ["--task", "translation", "--model", "t5", "--method", "adapters", "--seed", "1", "--form", "bf16"]
    assert main(["compress", "tiny.yaml", "changes.yaml", *names]) == 1
    assert "the study has no such form of this cell bf16" in capsys.readouterr().err
    assert study.paths.run(Run(Cell("a", "b", "c"), 1, "int8")).parts[-2:] == ("variants", "int8")


@pytest.mark.parametrize(
    ("forms", "says"),
    [
        ("[int4]", "unknown: 'int4'. Available: int8, bf16"),
        ("[bf16, bf16]", "bf16 is listed twice"),
        ("bf16", "compress"),
        ("[bf16, prune-30-tuned]", "compress[1]: prune-30-tuned is tuned; say how long and how fast: recovery:"),
        ("[bf16, distil-1]", "compress[1]: distil-1 is tuned; say how long and how fast: distillation:"),
        ("[bf16]\nrecovery: {steps: 1, learning_rate: 0.1}", "recovery: has no effect"),
        ("[bf16]\ndistillation: {steps: 1, learning_rate: 0.1}", "distillation: has no effect"),
        (f"[bf16, distil-9]\n{DISTILLATION}", "compress[1]: distil-9, of the cell translation_t5_full: it has"),
    ],
)
def test_what_is_no_list_of_forms_is_refused(tiny_study, forms, says):
    with pytest.raises(TuneGridError) as refusal:
        tiny_study(CHANGES + f"compress: {forms}\n")
    assert says in str(refusal.value)


def test_a_study_of_which_nothing_merges_has_nothing_to_compress(tiny_study):
    with pytest.raises(TuneGridError, match="no cell merges into plain weights"):
        tiny_study(CHANGES.replace("[full, lora, adapters]", "[adapters]") + "compress: [bf16]\n")


@pytest.mark.parametrize(
    ("forms", "says"),
    [
        (
            "[plain, int8]",
            "recommend.forms[1]: int8 is not under compress, so it has no score; add it: compress: [bf16, int8]",
        ),
        ("[plain, bf61]", "unknown: 'bf61'"),
        ("[bf16, bf16]", "bf16 is listed twice"),
        ("[]", "recommend.forms"),
        ("[distil-1]", "recommend.forms[0]: distil-1 is not under compress"),
    ],
)
def test_only_forms_that_are_evaluated_can_be_recommended(tiny_study, forms, says):
    with pytest.raises(TuneGridError) as refusal:
        tiny_study(CHANGES + f"compress: [bf16]\nrecommend: {{forms: {forms}}}\n")
    assert says in str(refusal.value)


def test_the_report_has_a_section_on_the_forms(tiny_study, without_figures):
    from tunegrid.report.render import render_report
    from tunegrid.results.tables import read_tables, write_tables
    from tunegrid.stages.compress import evaluate_form
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.expected import expected

    study = tiny_study(CHANGES + "compress: [prune-50]\n")
    run, folder = trained(study, "translation", "full")
    evaluate_run(study, run, folder)
    evaluate_form(study, run, "prune-50", study.paths.run(Run(run.cell, 1, "prune-50")))
    write_tables(study.paths.root, expected(study), study.paths.tables, resamples=50)
    assert read_tables(study.paths.tables)["forms"].dropna(subset=["score"])["method"].tolist() == ["full"]
    render_report(read_tables(study.paths.tables), expected(study), study.paths.report, pdf=False)
    text = (study.paths.report / "report.html").read_text(encoding="utf-8")
    assert "Smaller forms of the weights" in text
    assert "Nothing when it runs" in text
