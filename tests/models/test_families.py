"""Families come from YAML: those of the project, with the prompts of their papers, and those of a study."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, slow_except
from tests.support.checkpoints import make_like
from tests.support.rows_of_tasks import make_task
from tunegrid.common.errors import TuneGridError
from tunegrid.models import FAMILIES
from tunegrid.models.families import load_families, load_family
from tunegrid.models.shape import known_config
from tunegrid.study.cells import Cell, Run
from tunegrid.study.checks import check_files
from tunegrid.study.load import load_study
from tunegrid.study.stage_settings import run_settings
from tunegrid.study.study import Study

LOCAL = ROOT / "config/local.yaml"


def examples() -> list[str]:
    """The YAML examples of docs/adding-a-model.md."""
    return re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/adding-a-model.md").read_text(encoding="utf-8"), re.DOTALL)


MORE_MODELS, OWN_FAMILY = examples()


def run_cell(study: Study, cell: Cell):
    """All stages of a cell whose data are there: fetch, tokenise, train, evaluate. Returns its two records."""
    from tunegrid.stages.evaluate import evaluate_run, evaluate_untuned
    from tunegrid.stages.fetch_model import fetch_model
    from tunegrid.stages.tokenise import tokenise
    from tunegrid.stages.train import train

    paths, (task, model, method) = study.paths, (cell.task, cell.model, cell.method)
    fetch_model(study, model, paths.model(model))
    tokens, family = paths.tokens(task, model), study.models[model].family
    tokenise(study.task(task, model), family, paths.data(task), paths.model(model), tokens)
    folder = paths.run(Run(Cell(task, model, method), 1))
    trained = train(study, Run(cell, 1), folder)
    assert trained.reason is None
    assert evaluate_untuned(study, task, model, paths.untuned(task, model)).status == "ok"
    return trained, evaluate_run(study, Run(cell, 1), folder)


# -- the families of the project --------------------------------------------------------------------------------------

PROMPTS = {
    ("t5", "qa"): "question: {question} context: {context}",
    ("t5", "translation"): "translate English to German: {source}",
    ("t5", "sentiment"): "sst2 sentence: {text}",
    ("flan-t5", "qa"): "Article: {context}\n\nQuestion: {question}",
    ("flan-t5", "translation"): "Translate to German:\n\n{source}",
    ("flan-t5", "sentiment"): "{text}\nWhat is the sentiment of this review?\nOPTIONS:\n{options}",
    ("bart", "qa"): "{question} </s> {context}",
    ("bart", "translation"): "{source}",
    ("bart", "sentiment"): "{text}",
    ("mt5", "qa"): "question: {question} context: {context}",
    ("mt5", "translation"): "translate English to German: {source}",
    ("mt5", "sentiment"): "sst2 sentence: {text}",
    **{
        (family, kind): prompt
        for family in ("t5", "mt5")
        for kind, prompt in {
            "classification": "classify: {text}",
            "pair-classification": "sentence1: {text} sentence2: {text_pair}",
            "summarisation": "summarize: {document}",
            "generation": "{source}",
            "ner": "entities: {text}",
        }.items()
    },
    ("flan-t5", "classification"): "{text}\nWhich of these fits the text?\nOPTIONS:\n{options}",
    ("flan-t5", "pair-classification"): "{text}\n{text_pair}\nWhich of these fits the two texts?\nOPTIONS:\n{options}",
    ("flan-t5", "summarisation"): "Summarize the following text:\n\n{document}",
    ("flan-t5", "generation"): "{source}",
    ("flan-t5", "ner"): "{text}\n\nName the entities in this text with their types ({types}), or say none.",
    ("bart", "classification"): "{text}",
    ("bart", "pair-classification"): "{text} </s> {text_pair}",
    ("bart", "summarisation"): "{document}",
    ("bart", "generation"): "{source}",
    ("bart", "ner"): "{text}",
}


def test_the_families_and_their_prompts():
    assert {
        (name, kind): prompt for name, family in FAMILIES.items() for kind, prompt in family.prompts.items()
    } == PROMPTS
    assert {name: family.name for name, family in FAMILIES.items()} == {name: name for name in FAMILIES}
    for (family, kind), prompt in PROMPTS.items():
        assert make_task(kind).prompt(family) == prompt


def test_flan_s_prompt_lists_the_labels():
    text = make_task("sentiment").source_text({"text": "A fine film."}, "flan-t5")
    assert text == "A fine film.\nWhat is the sentiment of this review?\nOPTIONS:\n- negative\n- positive"


@pytest.mark.parametrize(("name", "family"), [
    ("google-t5/t5-base", "t5"), ("google/flan-t5-small", "flan-t5"), ("google/mt5-small", "mt5"), ("facebook/bart-large", "bart"),
])  # fmt: skip
def test_a_known_checkpoint_fits_its_family_and_no_other(name, family):
    config = known_config(name)
    assert [other for other in FAMILIES if FAMILIES[other].problem(config) is None] == [family]


def test_t5_v1_1_is_told_from_t5(tiny_study):
    """Both say model_type t5; T5 v1.1 is gated, like Flan-T5 that was made of it."""
    from tunegrid.stages.fetch_model import fetch_model

    study = tiny_study("models: {t5: {source: {path: checkpoints/flan-t5}}}")
    says = (
        r"models\.t5\.family: t5, but the feed-forward block is gated-gelu, and not plain\. .*fit this model: flan-t5"
    )
    with pytest.raises(TuneGridError, match=says):
        fetch_model(study, "t5", Path("out"))
    with pytest.raises(TuneGridError, match=says):
        check_files(study)


def test_a_known_model_of_the_hub_under_the_wrong_family_is_refused_before_it_is_downloaded(tmp_path):
    text = MORE_MODELS.replace("family: mt5", "family: t5")
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    study = load_study(LOCAL, tmp_path / "wrong.yaml")
    with pytest.raises(TuneGridError, match=r"models\.mt5-small\.family: t5, but .*'mt5'.*fit this model: mt5"):
        study.shape("mt5-small")


# -- YAML files of families -------------------------------------------------------------------------------------------

BROKEN = {
    "an unknown key": ("gated: false", "gatted: false", "gatted", "Did you mean gated?"),
    "a missing key": ("has_biases: false", "", "has_biases", "required"),
    "a role without a layer": ("output: [o], ", "", "linear", "the role output has no linear layer"),
    "an unknown role": ("output: [o]", "outptu: [o]", "linear.outptu", "Did you mean output?"),
    "a missing size": ("  d_ff: d_ff\n", "", "sizes.d_ff", "required"),
    "an unknown size": ("  d_ff: d_ff\n", "  d_ff: d_ff\n  d_fff: d_ff\n", "sizes.d_fff", "Did you mean d_ff?"),
    "a text for a list": ("model_types: [t5]", "model_types: t5", "model_types", "list"),
    "a number for a prompt": (
        'sentiment: "sst2 sentence: {text}"',
        "sentiment: 3",
        "prompts.sentiment",
        "as 3, not as text",
    ),
    "a name of its own": ("title: T5", "title: T5\nname: t6", "name", "leave `name` out"),
}


@pytest.mark.parametrize(("old", "new", "key", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_family_is_refused_with_file_line_and_key(tmp_path, old, new, key, says):
    text = (ROOT / "resources/families/t5.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "t6.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(TuneGridError) as caught:
        load_family(tmp_path / "t6.yaml")
    assert re.match(
        rf"{re.escape(str(tmp_path / 't6.yaml'))}, line \d+: {re.escape(key)}: .*{re.escape(says)}", str(caught.value)
    )


def test_a_family_is_added_by_a_file_alone(tmp_path):
    """A copy of the project with one more YAML file: a study of that family is checked, with its prompts and words."""
    shutil.copytree(ROOT / "src/tunegrid", tmp_path / "src/tunegrid", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "resources", tmp_path / "resources")
    shutil.copy(ROOT / "resources/families/flan-t5.yaml", tmp_path / "resources/families/t5-v1.1.yaml")
    overlay = """
models: {v1: {family: t5-v1.1, source: {kind: hub, id: google/t5-v1_1-small}}}
grid: {models: [v1]}
overrides: []
"""
    (tmp_path / "overlay.yaml").write_text(overlay, encoding="utf-8")
    program = (
        f"from tunegrid.study.load import load_study; s = load_study({str(LOCAL)!r}, 'overlay.yaml'); "
        "print(s.family('v1').name, s.task('qa').prompt('t5-v1.1')[:7])"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("t5-v1.1 Article\n", "")


@pytest.mark.slow
def test_a_wheel_brings_what_the_package_reads_of_the_repository(tmp_path):
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        str(ROOT),
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "--wheel-dir",
        ".",
    ]
    subprocess.run(build, cwd=tmp_path, check=True)
    shutil.unpack_archive(next(tmp_path.glob("*.whl")), tmp_path / "installed", "zip")
    command = [sys.executable, "-m", "tunegrid", "check", str(ROOT / "config/mini.yaml")]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "81 training jobs" in done.stdout
    files = {
        file.relative_to(ROOT / "resources")
        for file in (ROOT / "resources").rglob("*")
        if file.suffix in (".yaml", ".csv")
    }
    files |= {file.relative_to(ROOT / "resources") for file in (ROOT / "resources/architectures").glob("*.json")}
    assert [file for file in files if not (tmp_path / "installed/tunegrid/_resources" / file).is_file()] == []


def test_families_are_read_from_their_folder():
    assert load_families(ROOT / "resources/families") == FAMILIES
    assert type(FAMILIES) is dict


# -- models that are YAML only ----------------------------------------------------------------------------------------


def test_mt5_small_and_bart_large_are_an_overlay(tmp_path):
    """The example of the docs, as it stands there, over the study that the project ships."""
    (tmp_path / "more-models.yaml").write_text(MORE_MODELS, encoding="utf-8")
    study = load_study(LOCAL, tmp_path / "more-models.yaml")
    assert [cell.model for cell in study.cells()[::3]] == ["mt5-small", "bart-large"] * 3
    assert study.shape("mt5-small").parameters == 300_176_768
    assert study.shape("bart-large").parameters == 406_291_456
    embeddings = study.shape("mt5-small").embedding_parameters
    assert round(100 * embeddings / 300_176_768) == 85, "as the docs say"


OF_THE_EXAMPLE = [
    # By hand: 8 + 2 x 8 attention blocks of 4, 16 feed-forward blocks of 3 layers.
    ("mt5-small", "lora", 24 * 4 + 16 * 3, {"d_model": 24, "d_kv": 4, "d_ff": 32}),
    ("mt5-small", "adapters", 32, {"d_model": 24, "d_kv": 4, "d_ff": 32}),
    ("bart-large", "lora", 36 * 4 + 24 * 2, {"d_model": 32, "encoder_ffn_dim": 40, "decoder_ffn_dim": 40}),
]


@pytest.mark.parametrize(("model", "method", "modules", "smaller"), slow_except(OF_THE_EXAMPLE[1], OF_THE_EXAMPLE))
def test_the_models_of_the_example_run_from_fetch_to_scores(tiny, model, method, modules, smaller):
    """Narrow random checkpoints with the real configurations, in the Hub's layout."""
    hub = {"mt5-small": "google/mt5-small", "bart-large": "facebook/bart-large"}[model]
    make_like(Path("checkpoints") / model, known_config(hub), **smaller)
    overlay = re.sub(
        r"\{kind: hub, id: \S+/(\S+), revision", r"{kind: directory, path: checkpoints/\1, revision", MORE_MODELS
    )
    overlay = overlay.replace("revision: main, ", "").replace(
        "device: cuda, threads: 4, precision: bf16", "device: cpu"
    )
    Path("more.yaml").write_text(overlay.replace("study: more-models", "study: tiny"), encoding="utf-8")
    study = load_study(tiny, "more.yaml")
    trained, metrics = run_cell(study, Cell("sentiment", model, method))
    assert trained.injected.count == trained.injected.expected == modules
    assert metrics.status == "ok"
    assert metrics.examples == 13


# -- a family of the study's own --------------------------------------------------------------------------------------


@pytest.fixture
def own_family(tiny):
    """The second example of the docs, with a local checkpoint."""
    source = "{kind: hub, id: google/t5-v1_1-small, revision: main, licence: Apache-2.0}"
    assert source in OWN_FAMILY

    def load(*changes: tuple[str, str]) -> Study:
        text = OWN_FAMILY.replace(source, "{kind: directory, path: checkpoints/flan-t5}")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        Path("own.yaml").write_text(text, encoding="utf-8")
        return load_study(tiny, "own.yaml")

    return load


def test_a_study_brings_its_own_family_with_prompts_and_label_words(own_family):
    import pyarrow.parquet

    from tunegrid.data.tokens import load_tokenizer, read_tokens

    study = own_family()
    cell = Cell("sentiment", "t5-v1.1", "lora")
    trained, metrics = run_cell(study, cell)
    assert trained.injected.count == 43
    assert trained.configuration["families"]["t5-v1.1"]["gated"] is True
    tokenizer = load_tokenizer(study.paths.model("t5-v1.1"))
    tokens = read_tokens(study.paths.tokens("sentiment", "t5-v1.1") / "train.arrow")
    targets = set(tokenizer.batch_decode(tokens.column("labels").to_pylist(), skip_special_tokens=True))
    expected = set(tokenizer.batch_decode(tokenizer(["bad", "good"])["input_ids"], skip_special_tokens=True))
    assert targets == expected
    assert tokenizer.decode(tokens.column("input_ids")[0].as_py()).startswith("sst2 sentence:")
    # What is predicted and scored are the labels themselves.
    predictions = pyarrow.parquet.read_table(study.paths.run(Run(cell, 1)) / "predictions.parquet").to_pandas()
    assert set(predictions["prediction"]) <= {"negative", "positive"}
    assert {"score_negative", "score_positive"} <= set(predictions.columns)
    assert metrics.metrics["accuracy"].value == predictions["correct"].mean()
    assert study.task("sentiment").target_text({"label": "positive"}) == "positive", "other models keep the label"


def test_a_change_of_the_family_is_a_change_of_its_runs(own_family):
    cell = Cell("sentiment", "t5-v1.1", "lora")
    first = run_settings(own_family(), cell)
    assert run_settings(own_family((" wo]}", " wo, wo_2]}")), cell) != first
    assert run_settings(own_family(("positive: good", "positive: fine")), cell) != first
    assert run_settings(own_family(("sst2 sentence", "sst2 review")), cell) != first
    assert run_settings(own_family(), cell) == first


MISTAKES = {
    "a name that is taken": (("t5-v1.1:\n    title: T5 v1.1\n", "t5:\n    title: T5 v1.1\n"), "families.t5", "comes with the project"),
    "a prompt for an unknown kind": (("      qa:", "      qaa:"), "families.t5-v1.1.prompts.qaa", "Did you mean qa?"),
    "words for an unknown kind": (("{sentiment: {neg", "{sentimant: {neg"), "families.t5-v1.1.label_words.sentimant", "sentiment"),
    "an unknown key": (("    gated: true", "    gatted: true"), "families.t5-v1.1.gatted", "Did you mean gated?"),
    "a role without a layer": (("output: [o], ", ""), "families.t5-v1.1.linear", "the role output"),
    "a prompt that uses no text": (('"sst2 sentence: {text}"', '"sst2"'), "families.t5-v1.1.prompts.sentiment", "{text}"),
    "no prompt": (('      sentiment: "sst2 sentence: {text}"\n', ""), "families.t5-v1.1.prompts.sentiment", "has no prompt"),
    "one word for two labels": (("positive: good", "positive: bad"), "tasks.sentiment.labels", "the same word"),
    "a type that adapters do not know": (("model_types: [t5]", "model_types: [pegasus]"), "grid.methods[2]",
                                         "the adapters library knows no models of the type pegasus"),
    "a source that cannot make it": (("kind: directory, path: checkpoints/flan-t5", "kind: pretrain"), "models.t5-v1.1.family", "makes no t5-v1.1"),
    "a family that is not there": (("family: t5-v1.1", "family: t5-v1.2"), "models.t5-v1.1.family", "Did you mean t5-v1.1?"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "key", "says"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_a_family_of_the_study_names_its_key(own_family, change, key, says):
    with pytest.raises(TuneGridError) as caught:
        own_family(change)
    assert f": {key}: " in str(caught.value)
    assert says in str(caught.value)
