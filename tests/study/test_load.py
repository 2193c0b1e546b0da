"""Loading a study: wrong keys and values are refused with file, line and key; files are laid over each other."""

import pytest

from tests.support import ROOT
from tests.support.small_study import BASE, assert_refused, changed, line_of, refusal
from tunegrid.study.load import load_study

MINI = (ROOT / "config/mini.yaml").read_text(encoding="utf-8")

# (what is replaced, by what, the key as the message names it, what else the message says)
BROKEN = {
    "unknown key at the top": ("hardware: {", "hardwear: {", "hardwear", ["Did you mean hardware?", "seeds"]),
    "unknown key in hardware": ("threads: 1}", "thread: 1}", "hardware.thread", ["Did you mean threads?", "precision"]),
    "unknown key in grid": ("  models: [t5, bart]", "  model: [t5, bart]", "grid.model", ["Did you mean models?"]),
    "unknown key in a task": ("max_target_length: 8", "max_target_lenght: 8", "tasks.qa.max_target_lenght",
                              ["Did you mean max_target_length?", "prompts"]),
    "unknown key in generation": ("{max_new_tokens: 8}", "{max_new_token: 8}", "tasks.qa.generation.max_new_token",
                                  ["Did you mean max_new_tokens?", "num_beams"]),
    "unknown key in rows": ("test: 5}", "tests: 5}", "tasks.qa.source.rows.tests", ["Did you mean test?"]),
    "unknown key in a data source": ("source: {kind: files,", "source: {colums: {}, kind: files,",
                                     "tasks.sentiment.source.colums", ["Did you mean columns?", "validation_share"]),
    "unknown key in paths": ("test: test.csv", "tset: test.csv", "tasks.sentiment.source.paths.tset", ["Did you mean test?"]),
    "an unknown protocol": ("  qa:\n", "  qa:\n    protocol: printed\n", "tasks.qa.protocol", ["Valid: official, published"]),
    "a protocol of a task that has none": ("  sentiment:\n", "  sentiment:\n    protocol: official\n", "tasks.sentiment.protocol", ["unknown key"]),
    "the published protocol on generated rows": ("  qa:\n", "  qa:\n    protocol: published\n", "tasks.qa", ["protocol: published", "generated"]),
    "unknown key in a model": ("t5: {family: t5", "t5: {famly: t5", "models.t5.famly", ["Did you mean family?", "source"]),
    "unknown key in a model source": ("{kind: hub, id:", "{kind: hub, name:", "models.t5.source.name", ["revision"]),
    "unknown key in a method": ("r: 8", "rank: 8", "methods.lora.rank", ["alpha", "targets"]),
    "unknown key in training": ("learning_rate: 1", "learning_rat: 1", "training.learning_rat",
                                ["Did you mean learning_rate?", "weight_decay"]),
    "unknown key in an override": ("- {where: {task: qa}, training", "- {where: {task: qa}, trainings",
                                   "overrides[0].trainings", ["Did you mean training?"]),
    "unknown key in where": ("where: {task: qa}", "where: {tsk: qa}", "overrides[0].where.tsk", ["Did you mean task?"]),
    "unknown key in an override's training": ("training: {max_steps: 200}", "training: {max_step: 200}",
                                              "overrides[0].training.max_step", ["Did you mean max_steps?"]),
    "text for an integer": ("threads: 1", "threads: two", "hardware.threads", ["integer", "'two'"]),
    "a fraction for an integer": ("max_source_length: 64\n    max_target_length: 8", "max_source_length: 6.5\n    max_target_length: 8",
                                  "tasks.qa.max_source_length", ["integer", "6.5"]),
    "a boolean for an integer": ("threads: 1", "threads: true", "hardware.threads", ["integer", "True"]),
    "a text for a list": ("models: [t5, bart]", "models: t5", "grid.models", ["list", "'t5'"]),
    "a list for a mapping": ("hardware: {device: cpu, threads: 1}", "hardware: [cpu]", "hardware", ["['cpu']"]),
    "out of range": ("threads: 1", "threads: 0", "hardware.threads", ["greater than 0", "found 0"]),
    "a negative seed": ("seeds: [1, 2]", "seeds: [1, -2]", "seeds[1]", ["-2"]),
    "no seed": ("seeds: [1, 2]", "seeds: []", "seeds", ["at least 1"]),
    "a number without a sign": ("1.0e-3", "1.0e3", "training.learning_rate", ["'1.0e3'", "is text to YAML", "1.0e+4"]),
    "a number that YAML takes for text": ("1.0e-3", "1e-4", "training.learning_rate", ["'1e-4'", "is text to YAML", "1.0e-4"]),
    "the same in an override": ("training: {max_steps: 200}", "training: {learning_rate: 1e-4}",
                                "overrides[0].training.learning_rate", ["'1e-4'", "is text to YAML"]),
    "an unknown device": ("device: cpu", "device: cdua", "hardware.device", ["Did you mean cuda?", "cpu, cuda"]),
    "an unknown kind of task": ("kind: sentiment", "kind: sentimant", "tasks.sentiment.kind",
                                ["Did you mean sentiment?", "qa", "translation"]),
    "an unknown kind of source": ("kind: generated", "kind: generate", "tasks.qa.source.kind",
                                  ["Did you mean generated?", "files", "hub"]),
    "an unknown kind of model source": ("kind: directory", "kind: dir", "models.bart.source.kind", ["directory, hub, packaged, pretrain"]),
    "an unknown kind of method": ("lora: {kind: lora,", "lora: {kind: lorra,", "methods.lora.kind",
                                  ["Did you mean lora?", "adapters, bitfit, dpo, full"]),
    "the untuned model as a method": ("{kind: bitfit}", "{kind: untuned}", "methods.bitfit.kind", ["unknown: 'untuned'"]),
    "an unknown role": ("r: 8", "targets: [query, vlaue]", "methods.lora.targets[1]", ["Did you mean value?", "feed-forward"]),
    "an unknown file type": ("train: train.csv", "train: train.xlsx", "tasks.sentiment.source.paths", ["train.xlsx", ".jsonl"]),
    "a missing kind": ("lora: {kind: lora, r: 8}", "lora: {r: 8}", "methods.lora.kind", ["required"]),
    "a missing key at the top": ("title: A title\n", "", "title", ["required"]),
    "a missing key inside": ("    max_target_length: 8\n", "", "tasks.qa.max_target_length", ["required"]),
    "a missing key in training": ("learning_rate: 1.0e-3, ", "", "training.learning_rate", ["required"]),
    "a seed too large": ("seeds: [1, 2]", "seeds: [1, 4294967296]", "seeds[1]", ["4294967296"]),
    "a study name that leaves the folder": ("study: base", "study: ../base", "study", ["not a valid name", "'../base'"]),
    "a study name with a slash": ("study: base", "study: a/b", "study", ["not a valid name"]),
    "a study name that is a dot": ("study: base", "study: ..", "study", ["not a valid name"]),
    "a study name with a line break": ("study: base", 'study: "base\\n"', "study", ["not a valid name"]),
    "a study name with LaTeX": ("study: base", r"study: \input{/etc/passwd}", "study", ["not a valid name"]),
    "a task name with an underscore": ("  qa:\n", "  q_a:\n", "tasks.q_a", ["not a valid name", "'q_a'"]),
    "a model name with LaTeX": ("  bart: {family", "  $bart$: {family", "models.$bart$", ["not a valid name"]),
    "a method name that leaves the folder": ("  bitfit: {", "  ../x: {", "methods.../x", ["not a valid name", "'../x'"]),
    "a positive label that is none": ("kind: sentiment", "kind: sentiment\n    labels: [bad, good]", "tasks.sentiment",
                                      ["'positive'", "bad, good"]),
    "one label": ("kind: sentiment", "kind: sentiment\n    labels: [positive]", "tasks.sentiment.labels", ["at least 2"]),
    "two lengths of training": ("max_steps: 100", "max_steps: 100, epochs: 2", "training", ["exactly one of max_steps and epochs"]),
    "no length of training": (", max_steps: 100", "", "training", ["exactly one of max_steps and epochs"]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_study_is_refused_with_file_line_key_and_a_way_out(load, old, new, key, says):
    assert_refused(load, old, new, key, says)


def test_the_line_is_the_one_the_wrong_key_stands_on(load):
    text = changed("max_target_length: 8", "max_target_lenght: 8")
    assert f"first.yaml, line {line_of(text, 'max_target_lenght')}: " in refusal(load, text)


def test_the_mini_study_is_valid_and_one_wrong_key_in_it_is_found(load):
    study = load(MINI)
    assert len(study.cells()) == 27
    broken = MINI.replace("training: {learning_rate:", "training: {lerning_rate:", 1)
    message = refusal(load, broken)
    assert f"line {line_of(broken, 'lerning_rate')}: training.lerning_rate" in message
    assert "Did you mean learning_rate?" in message


def test_a_duplicate_key_is_refused_where_it_stands_the_second_time(load):
    text = BASE + "training: {learning_rate: 1.0e-2, max_steps: 3}\n"
    message = refusal(load, text)
    assert f"first.yaml, line {len(text.splitlines())}: " in message
    assert "'training'" in message
    message = refusal(load, changed("learning_rate: 1.0e-3", "learning_rate: 1.0e-3, learning_rate: 2.0e-3"))
    assert "'learning_rate'" in message


def test_several_problems_are_all_named(load):
    message = refusal(load, changed("threads: 1", "threads: 0").replace("r: 8", "r: 0"))
    assert "hardware.threads" in message
    assert "methods.lora.r" in message


@pytest.mark.parametrize(
    "broken",
    [
        "learning_rate: 1e-3, max_steps: 100",
        "learning_rate: .nan, max_steps: 100",
        "max_steps: 100",
        "learning_rate: 1.0e-3, max_steps: 100, batch_size: 0",
    ],
)
def test_one_mistake_under_training_is_one_line(load, broken):
    message = refusal(load, changed("learning_rate: 1.0e-3, max_steps: 100", broken))
    assert len(message.splitlines()) == 1, message


def test_a_mistake_in_a_union_is_one_line(load):
    families = "families: {own: {title: Own, model_types: [t5], sizes: {}, defaults: {d_model: wide}}}\n"
    message = refusal(load, BASE + families)
    assert message.count("families.own.defaults.d_model") == 1


def test_a_number_where_text_is_expected_is_shown_as_yaml_reads_it(load):
    message = refusal(load, changed("title: A title", "title: 0x1F"))
    assert message == "first.yaml, line 2: title: YAML reads this as 31, not as text. Write it in quotes"


def test_a_file_with_many_mistakes_names_the_first_twenty(load):
    message = refusal(load, changed("seeds: [1, 2]", f"seeds: [{', '.join(['-1'] * 50)}]"))
    assert message.splitlines()[-1] == "… and 30 more"


@pytest.mark.parametrize("title", ["''", "' '", '"\\u200b"', '"\\n"'])
def test_a_blank_title_is_refused_for_a_study_and_is_none_for_its_parts(load, title):
    assert "title: a text is required" in refusal(load, changed("title: A title", f"title: {title}"))
    study = load(changed("t5: {family: t5,", f"t5: {{title: {title}, family: t5,"))
    assert study.title_of("models", "t5") == "t5"


def test_a_line_break_in_a_title_is_a_space_and_a_long_title_is_refused(load):
    study = load(changed("t5: {family: t5,", 't5: {title: "T5\\n  |x|\\u2028y", family: t5,'))
    assert study.title_of("models", "t5") == "T5 |x| y"
    assert "title: String should have at most 200 characters" in refusal(load, changed("A title", "x" * 201))


# -- several files ----------------------------------------------------------------------------------------------------


def test_files_are_laid_over_each_other_mappings_merged_lists_replaced(load):
    study = load(BASE, "seeds: [7]\nhardware: {precision: bf16}\n", "grid: {tasks: [qa]}\n")
    assert study.seeds == [7]
    assert (study.hardware.device, study.hardware.precision) == ("cpu", "bf16")
    assert study.grid.tasks == ["qa"]
    assert study.grid.models == ["t5", "bart"]


def test_an_error_names_the_file_that_holds_the_key(load):
    over = "# a comment\nhardware:\n  threads: 0\n"
    assert refusal(load, BASE, over).startswith("second.yaml, line 3: hardware.threads: ")
    # A key of the first file stays the first's, whatever else the second one holds.
    broken = changed("device: cpu", "device: cpo")
    message = refusal(load, broken, "hardware: {precision: bf16}\n")
    assert message.startswith(f"first.yaml, line {line_of(broken, 'device')}: hardware.device: ")


def test_a_list_item_is_looked_for_in_the_file_whose_list_is_used(load):
    message = refusal(load, BASE, "\n\ngrid: {models: [bart, t6]}\n")
    assert message.startswith("second.yaml, line 3: grid.models[1]: ")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("id: google-t5/t5-base", "id: ''", "models.t5.source.id"),
        ("id: google-t5/t5-base", "id: a/b, revision: ' '", "models.t5.source.revision"),
        ("path: models/bart", "path: ''", "models.bart.source.path"),
        ("train: train.csv", "train: ''", "tasks.sentiment.source.paths.train"),
        ("source: {kind: files,", "source: {columns: {text: ''}, kind: files,", "tasks.sentiment.source.columns.text"),
    ],
)
def test_a_blank_path_id_or_column_is_refused(load, old, new, key):
    assert_refused(load, old, new, key, ["a text is required, but this is blank"])


def test_the_overlays_that_ship_are_studies_over_the_one_that_their_names_begin_with():
    for file in sorted((ROOT / "config" / "overlays").glob("*.yaml")):
        base = file.name.split("-")[0]
        study = load_study(ROOT / "config" / f"{base}.yaml", file)
        assert study.name == file.stem != base
    domains = load_study(ROOT / "config" / "mini.yaml", ROOT / "config" / "overlays" / "mini-domains.yaml")
    assert {task: list(domains.tasks[task].evaluate_on) for task in domains.grid.tasks} == {
        task: ["away"] for task in ("translation", "qa", "sentiment")
    }
