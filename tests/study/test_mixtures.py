"""Mixtures of a study: what is trained once for several cells, with which settings, and what is refused."""

import pytest

from tests.support.small_study import BASE, assert_refused, changed
from tunegrid.study.cells import Cell, MixtureCell, Run
from tunegrid.study.mixtures import cell_task, mixed_tasks, wordings
from tunegrid.study.stage_settings import run_settings

METHOD = "lora: {kind: lora, r: 8}"
SHARED = METHOD + "\n  instruct: {kind: instruction, method: {kind: lora, r: 4}, tasks: [qa]}"
MIXTURE = MixtureCell.of("t5", "instruct")


def shared(settings: str = "", tasks: str = "tasks: [qa]") -> str:
    """The base study with an instruction tuning in the place of LoRA."""
    method = f"{METHOD}\n  instruct: {{kind: instruction, method: {{kind: lora, r: 4}}, {tasks}{settings}}}"
    return changed(METHOD, method).replace("methods: [full, lora]", "methods: [full, instruct]")


def test_a_mixture_is_trained_once_for_the_cells_of_all_tasks(load):
    study = load(shared())
    assert len(study.cells()) == 8
    assert study.trainings() == [
        Cell("qa", "t5", "full"),
        MIXTURE,
        Cell("qa", "bart", "full"),
        MixtureCell.of("bart", "instruct"),
        Cell("sentiment", "t5", "full"),
        Cell("sentiment", "bart", "full"),
    ]
    assert study.sharing(MIXTURE) == [Cell("qa", "t5", "instruct"), Cell("sentiment", "t5", "instruct")]
    assert len(study.training_runs()) == 12
    assert len({str(study.paths.run(run)) for run in [*study.runs(), *study.training_runs()]}) == 16 + 4
    assert study.paths.run(Run(MIXTURE, 1)).as_posix() == "results/base/mixtures/runs/t5/instruct/seed-1"


def test_the_method_of_its_cells_is_the_one_that_tunes_the_model(load):
    study = load(shared())
    method = study.method(Cell("sentiment", "bart", "instruct"))
    assert (method.title, method.settings.r, method.family.name) == ("LoRA", 4, "bart")
    assert study.title_of("methods", "instruct") == "Instructions, LoRA"


def test_a_task_that_is_held_out_is_asked_in_wordings_none_of_which_was_trained(load):
    study = load(shared())
    settings = study.methods["instruct"]
    assert {one.trained for one in wordings(study, "sentiment", settings)} == {False}
    assert [one.trained for one in wordings(study, "qa", settings)] == [True] * 4 + [False] * 2
    first = wordings(study, "sentiment", settings)[0].template
    assert cell_task(study, Cell("sentiment", "t5", "instruct")).prompt("t5") == first
    assert cell_task(study, Cell("sentiment", "t5", "full")).prompt("t5") == "sst2 sentence: {text}"


def test_all_tasks_of_the_grid_are_in_a_mixture_that_names_none(load):
    study = load(shared(tasks="mixing: equal"))
    assert [mixed.name for mixed in mixed_tasks(study, MIXTURE)] == ["qa", "sentiment"]


CHANGES = {  # (what is changed, whether the mixture is trained again)
    "unseen wordings": (", wordings: {qa: {unseen: ['{context} {question}']}}", False),
    "wordings of a task that is held out": (", wordings: {sentiment: {train: ['{text}!']}}", False),
    "rows that are asked": (", wording_rows: 3", False),
    "title": (", title: Mine", False),
    "trained wordings": (", wordings: {qa: {train: ['{context} {question}']}}", True),
    "limit": (", limit: 5", True),
    "mixing": (", mixing: equal", True),
}


@pytest.mark.parametrize(("settings", "again"), CHANGES.values(), ids=CHANGES)
def test_a_mixture_is_trained_again_for_what_alters_it_alone(load, settings, again):
    before, after = (run_settings(load(shared(own)), MIXTURE) for own in ("", settings))
    assert (before != after) == again
    study = load(shared(settings))
    assert run_settings(study, Cell("sentiment", "t5", "instruct")) == after


def test_an_override_of_one_task_does_not_touch_a_mixture_one_of_its_method_does(load):
    text = shared().replace("where: {task: qa}", "where: {task: qa, model: t5}")
    study = load(text)
    assert study.training_settings(Cell("qa", "t5", "full")).max_steps == 200
    assert study.training_settings(Cell("qa", "t5", "instruct")).max_steps == 100
    study = load(text.replace("where: {task: qa, model: t5}", "where: {method: instruct, model: t5}"))
    assert study.training_settings(Cell("qa", "t5", "instruct")).max_steps == 200
    assert study.training_settings(MIXTURE).max_steps == 200
    assert study.training_settings(Cell("qa", "bart", "instruct")).max_steps == 100


REFUSED = {
    "an unknown task": ("tasks: [qa, sentimant]", "methods.instruct.tasks[1]", ["Did you mean sentiment?"]),
    "a task twice": ("tasks: [qa, qa]", "methods.instruct.tasks", ["qa is listed twice"]),
    "no task": ("tasks: []", "methods.instruct.tasks", ["at least 1 item"]),
    "wordings of no task": ("wordings: {qaa: {unseen: []}}", "methods.instruct.wordings.qaa", ["Did you mean qa?"]),
    "a column that no row has": (
        "wordings: {qa: {train: ['{context} {quesion}']}}",
        "methods.instruct.wordings.qa.train[0]",
        ["Did you mean question?"],
    ),
    "the text left out": (
        "wordings: {qa: {unseen: ['{question}']}}",
        "methods.instruct.wordings.qa.unseen[0]",
        ["does not use {context}"],
    ),
    "a column of another task": (
        "wordings: {sentiment: {unseen: ['{question} {text}']}}",
        "methods.instruct.wordings.sentiment.unseen[0]",
        ["unknown: 'question'"],
    ),
    "no wording to train with": ("wordings: {qa: {train: []}}", "methods.instruct.wordings.qa.train", ["at least 1"]),
    "the same wording twice": (
        "wordings: {qa: {train: ['{context} {question}', '{context} {question}']}}",
        "methods.instruct.wordings.qa",
        ["train-1 and train-2 are the same wording"],
    ),
    "an unknown key": ("limits: 3", "methods.instruct.limits", ["Did you mean limit?"]),
    "an unknown mixing": ("mixing: temperature", "methods.instruct.mixing", ["proportional"]),
    "no rows": ("limit: 0", "methods.instruct.limit", ["greater than 0"]),
}


@pytest.mark.parametrize(("settings", "key", "says"), REFUSED.values(), ids=REFUSED)
def test_a_mixture_that_cannot_be_is_refused_with_its_place(load, settings, key, says):
    method = f"{METHOD}\n  instruct: {{kind: instruction, method: {{kind: lora}}, {settings}}}"
    assert_refused(load, METHOD, method, key, says)


INNER = {
    "no method": ("", "methods.instruct"),
    "an unknown setting": ("method: {kind: lora, rr: 3}", "methods.instruct.method"),
    "another mixture": ("method: {kind: instruction, method: {kind: lora}}", "methods.instruct.method"),
    "none at all": ("method: {kind: untuned}", "methods.instruct.method"),
}


@pytest.mark.parametrize(("settings", "key"), INNER.values(), ids=INNER)
def test_what_tunes_on_a_mixture_has_to_be_a_method(load, settings, key):
    from tests.support.small_study import refusal

    message = refusal(load, changed(METHOD, f"{METHOD}\n  instruct: {{kind: instruction, {settings}}}"))
    assert key in message


def test_an_override_of_one_task_of_a_mixture_is_refused(load):
    text = shared().replace("where: {task: qa}", "where: {task: qa, method: instruct}")
    assert_refused(load, BASE, text, "overrides[0].where.task", ["trains one model for all its tasks"])


def test_a_search_does_not_reach_mixtures(load):
    assert_refused(load, BASE, shared() + "search: {factors: [1.0, 3.0]}\n", "search", ["is not searched for"])


def test_what_cannot_tune_a_family_cannot_on_a_mixture(load):
    method = f"{METHOD}\n  instruct: {{kind: instruction, method: {{kind: bitfit}}}}"
    text = changed(METHOD, method).replace("methods: [full, lora]", "methods: [full, instruct]")
    assert_refused(load, BASE, text, "grid.methods[1]", ["qa_t5_instruct cannot exist", "no bias"])


def test_a_cell_is_trained_again_by_the_rule_of_what_it_is_trained_in(load):
    study = load(shared())
    assert study.train_again(Cell("qa", "t5", "full")) == "snakemake … --forcerun train_qa_t5_full cell_qa_t5_full"
    assert study.train_again(Cell("qa", "t5", "instruct")) == "snakemake … --forcerun train_mixture cell_qa_t5_instruct"
