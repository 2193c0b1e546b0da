"""Settings of stages of preferences and of mixtures: which key makes which stages run again, and no others."""

import copy
from typing import Any

import pytest
import yaml

from tests.study.test_stage_settings import another, leaves
from tests.support.small_study import BASE
from tunegrid.study.cells import Cell, MixtureCell
from tunegrid.study.mixtures import mixture_settings, wording_settings
from tunegrid.study.needs import ranked_cells
from tunegrid.study.stage_settings import (
    judgement_settings,
    pairs_settings,
    report_settings,
    reward_settings,
    run_settings,
    worded_evaluation_settings,
)
from tunegrid.study.study import Study
from tunegrid.training.settings import WITHOUT_EFFECT

TRAINING = {"learning_rate": 1e-3, "max_steps": 10}


def whole() -> dict[str, Any]:
    """A study with every kind of pairs, a reward model, DPO, PPO and a mixture."""
    values = yaml.safe_load(BASE)
    values["grid"] = {"tasks": ["qa", "sentiment"], "models": ["t5"], "methods": ["full", "dpo", "ppo", "instruct"]}
    values["grid"]["exclude"] = [{"task": "sentiment", "method": method} for method in ("dpo", "ppo")]
    values["methods"] |= {
        "dpo": {"kind": "dpo", "sft": "full", "pairs": "worse", "update": {"kind": "lora"}},
        "ppo": {"kind": "ppo", "sft": "full", "reward": "judge", "options": {"kl_target": 1.0}},
        "instruct": {"kind": "instruction", "method": {"kind": "lora"}, "tasks": ["qa"]},
    }
    values["preferences"] = {
        "worse": {"source": {"kind": "corrupted"}},
        "own": {"source": {"kind": "sampled", "from": "full"}},
        "written": {"source": {"kind": "files", "paths": {"train": "pairs.csv"}}},
    }
    values["rewards"] = {"judge": {"pairs": "written", "training": TRAINING}}
    return values | {"overrides": []}


DPO, PPO, INSTRUCT = (Cell("qa", "t5", method) for method in ("dpo", "ppo", "instruct"))
HELD_OUT, MIXTURE = Cell("sentiment", "t5", "instruct"), MixtureCell.of("t5", "instruct")


def stages(study: Study) -> dict[str, Any]:
    """The settings of each stage."""
    return {
        "worse": pairs_settings(study, "qa", "worse"),
        "written": pairs_settings(study, "qa", "written"),
        "own": pairs_settings(study, "qa", "own", "t5"),
        "reward": reward_settings(study, "qa", "t5", "judge"),
        "dpo": run_settings(study, DPO),
        "ppo": run_settings(study, PPO),
        "judge": judgement_settings(study, PPO),
        "full": run_settings(study, Cell("qa", "t5", "full")),
        "mixture tokens": mixture_settings(study, MIXTURE),
        "mixture": [run_settings(study, cell) for cell in (INSTRUCT, HELD_OUT)],
        "wordings": [wording_settings(study, cell) for cell in (INSTRUCT, HELD_OUT)],
        "worded": [worded_evaluation_settings(study, cell) for cell in (INSTRUCT, HELD_OUT)],
    }


def laid(values: dict[str, Any], way: str, value: Any) -> dict[str, Any]:
    place = values = copy.deepcopy(values)
    *path, last = way.split(".")
    for key in path:
        place = place.setdefault(key, {})
    place[last] = value
    return values


def touched(way: str, value: Any) -> set[str]:
    before, after = (stages(Study.model_validate(values)) for values in (whole(), laid(whole(), way, value)))
    return {name for name in before if before[name] != after[name]}


WORDINGS = {"qa": {"train": ["{question} {context}"], "unseen": ["{context} {question}"]}}


@pytest.mark.parametrize(
    ("way", "value", "stages"),
    [
        ("preferences.worse.source.share", 0.5, {"worse", "dpo"}),
        ("preferences.worse.source.rows", {"train": 7}, {"worse", "dpo"}),
        ("preferences.written.source.paths", {"train": "other.csv"}, {"written", "reward", "ppo"}),
        ("preferences.own.source.samples", 5, {"own"}),
        ("preferences.written.source.licence", "MIT", set()),
        ("preferences.written.template", "Q: {prompt}", {"reward", "ppo"}),
        ("rewards.judge.seed", 5, {"reward", "ppo"}),
        ("rewards.judge.training.learning_rate", 0.5, {"reward", "ppo"}),
        ("rewards.judge.training.checkpoint_steps", 5, set()),
        ("methods.dpo.beta", 0.3, {"dpo"}),
        ("methods.dpo.chosen_weight", 1.0, {"dpo"}),
        ("methods.dpo.title", "Direct", set()),
        ("methods.dpo.update.r", 3, {"dpo"}),
        ("methods.dpo.update.title", "Small", set()),
        ("methods.ppo.options.passes", 2, {"ppo"}),
        ("methods.ppo.options.kl_target", None, {"ppo"}),
        ("methods.instruct.title", "Flan", set()),
        ("methods.instruct.method.r", 3, {"mixture"}),
        ("methods.instruct.method.title", "Small", set()),
        ("methods.instruct.mixing", "equal", {"mixture tokens", "mixture"}),
        ("methods.instruct.limit", 5, {"mixture tokens", "mixture"}),
        ("methods.instruct.tasks", ["qa", "sentiment"], {"mixture tokens", "mixture"}),
        ("methods.instruct.wordings", WORDINGS, {"mixture tokens", "mixture", "wordings"}),
        ("methods.instruct.wording_rows", 5, {"worded"}),
        ("training.learning_rate", 0.5, {"full", "dpo", "ppo", "mixture"}),
        ("tasks.qa.max_source_length", 63, set(stages(Study.model_validate(whole()))) - {"worse", "written", "judge", "worded"}),
        ("tasks.qa.generation.max_new_tokens", 7, {"own", "judge", "worded"}),
    ],
)  # fmt: skip
def test_a_key_reruns_what_it_alters_and_nothing_else(way, value, stages):
    assert touched(way, value) == stages


def every_key() -> list[tuple[str, Any, Any]]:
    study, found = Study.model_validate(whole()), []
    for part in ("preferences", "rewards"):
        for name, settings in getattr(study, part).items():
            found += [(".".join(way), kind, value) for way, kind, value in leaves(settings, (part, name))]
    for name in ("dpo", "ppo"):
        found += [(".".join(way), *one) for way, *one in leaves(study.methods[name], ("methods", name))]
    return found


NO_RESULT = {"title", "licence", *WITHOUT_EFFECT}
# Another value than the default where the type alone does not say it, or what else it needs.
VALUES = {
    "sft": "lora",
    "pairs": None,
    "reward": None,
    "template": "Q: {prompt}",
    "columns": {"chosen": "better"},
    "targets": ["query"],
    "r": 3,
    "validation": "other.csv",
    "test": "other.csv",
    "train": 7,
}


@pytest.mark.parametrize(("way", "kind", "value"), every_key(), ids=[way for way, *_ in every_key()])
def test_every_key_reaches_a_stage(way, kind, value):
    name = way.rpartition(".")[2]
    if name in ("pairs", "reward"):
        chosen = {"pairs": "worse" if value == "written" else "written", "reward": "other" if value else "judge"}[name]
    elif way.endswith("own.source.start"):
        way, chosen = way.replace("start", "from"), "lora"
    elif way.startswith("preferences.own.template"):
        pytest.skip("nothing learns from these pairs here")
    elif name in ("train", "validation", "test"):
        chosen = "other.csv" if ".paths." in way else 7
    elif name in VALUES:
        chosen = VALUES[name]
    else:
        chosen = another(name, kind, value)
    values = whole()
    values["methods"]["ppo"]["update"] = {"kind": "full"}
    values["rewards"]["other"] = {"pairs": "worse", "training": TRAINING}
    if name in ("epochs", "max_steps"):
        values["rewards"]["judge"]["training"] = {"learning_rate": 1e-3, "epochs": 1.0}
        way, chosen = way.replace("max_steps", "epochs"), 2.0
    needs = {
        "keep_best": {"evaluations": 2},
        "early_stopping_patience": {"evaluations": 2},
        "early_stopping_threshold": {"evaluations": 2, "early_stopping_patience": 2},
        "keep_checkpoints": {"checkpoint_steps": 5},
    }
    for key, more in needs.get(name, {}).items():
        values = laid(values, f"{way.rpartition('.')[0]}.{key}", more)
    if name in ("select_by", "validation_rows"):
        pytest.skip("of a reward model: refused")
    before, after = Study.model_validate(values), Study.model_validate(laid(values, way, chosen))
    assert before != after, f"the test did not change {way}"
    same = stages(before) == stages(after)
    assert same == (name in NO_RESULT)
    if way.endswith(".title") and ".update." not in way:
        assert report_settings(before) != report_settings(after)


@pytest.mark.parametrize(
    ("dpo", "reward", "ranked"),
    [("worse", "worse", []), ("own", "worse", ["dpo"]), ("worse", "own", ["ppo"]), ("own", "own", ["dpo", "ppo"])],
)
def test_cells_whose_pairs_the_task_s_score_ranked_are_those_that_learn_from_sampled_pairs(dpo, reward, ranked):
    """A reward model that only judges DPO has no part in it."""
    values = whole()
    values["methods"]["dpo"] |= {"pairs": dpo, "reward": "judge"}
    values["rewards"]["judge"]["pairs"] = reward
    assert ranked_cells(Study.model_validate(values)) == [Cell("qa", "t5", method) for method in ranked]
