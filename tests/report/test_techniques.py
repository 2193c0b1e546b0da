"""Techniques side by side, and verdicts on the paper's claims: what counts for a claim, by hand."""

import pandas as pd
import pytest

from tests.support.study_on_disk import expected_study
from tunegrid.methods import METHODS
from tunegrid.report import claims, techniques
from tunegrid.results.expected import Named
from tunegrid.results.tables import COLUMNS
from tunegrid.results.tables.frames import frame_of

KINDS = ("full", "lora", "adapters", "prefix", "prompt")
SHARES = {"full": 1.0, "lora": 0.02, "adapters": 0.03, "prefix": 0.005, "prompt": 0.0005}
SAVED = {"full": 1_000, "lora": 40, "adapters": 60, "prefix": 10, "prompt": 5}


@pytest.fixture
def expected():
    study = expected_study(methods=tuple(Named(kind, METHODS[kind].title, kind=kind) for kind in KINDS))
    return expected_study(methods=study.methods, models=study.models[:1])


def frames_of(expected, separated=lambda first, second: True, latency=None):
    costs, cells, pairs = [], [], []
    for task in expected.tasks:
        for model, method in expected.grid(task):
            at = {"task": task.name, "model": model.name, "method": method.name}
            for seed in (1, 2):
                costs.append(at | {
                    "seed": seed, "status": "ok", "trainable_share": SHARES[method.kind],
                    "saved_bytes": SAVED[method.kind] + seed, "peak_memory_bytes": 2**30 * (1 + SHARES[method.kind]),
                    "training_flops": 1e9 * (2 + SHARES[method.kind]), "optimisation_seconds": 3.0,
                    "deployed_latency_seconds": (latency or {}).get(method.kind, 0.010),
                    "deployed_inference_flops": {"full": 1e7, "lora": 1e7}.get(method.kind, 1.1e7),
                })  # fmt: skip
            cells.append(at | {"kind": "run", "metric": task.primary.name, "primary": True, "status": "ok",
                               "mean": 0.5, "ci_low": 0.4, "ci_high": 0.6})  # fmt: skip
        for number, first in enumerate(KINDS):
            for second in KINDS[number + 1 :]:
                model = expected.models[0].name
                pairs.append({
                    "task": task.name, "metric": task.primary.name, "first_model": model, "first_method": first,
                    "second_model": model, "second_method": second, "difference": 0.1,
                    "separated": separated(first, second),
                })  # fmt: skip
    rows = {"costs": costs, "cells": cells, "pairs": pairs}
    return {name: frame_of(name, columns, rows.get(name, [])) for name, columns in COLUMNS.items()}


def outcomes(frames, expected):
    return {(v.claim.kind, v.claim.text): (v.outcome, v.evidence) for v in claims.verdicts(frames, expected)}


def test_each_claim_is_held_against_the_pairs_and_cells_it_speaks_of(expected):
    found = outcomes(frames_of(expected), expected)
    # Three tasks, one model: full against four others, others against full.
    assert found["full", "scores highest of all"] == ("supported", "12 of 12 pairs for it, 0 against")
    assert found["lora", "scores below full fine-tuning"] == ("supported", "3 of 3 pairs for it, 0 against")
    assert found["lora", "trains less than 1% of the parameters"] == (
        "not supported", "0 of 3 cells for it, 3 against",
    )  # fmt: skip
    assert found["adapters", "trains 1 to 4% of the parameters"][0] == "supported"
    assert found["adapters", "computes more to predict"] == ("supported", "3 of 3 pairs for it, 0 against")
    assert found["lora", "computes no more to predict than the base, once merged"][0] == "supported"
    assert found["prompt", "saves the fewest bytes"] == ("supported", "12 of 12 pairs for it, 0 against")
    assert found["full", "forgets what was learned in pretraining"] == (
        "not tested", "the study does not measure forgetting",
    )  # fmt: skip
    assert found["full", "overfits small data sets more than others"] == (
        "not tested", "needs training sets of several sizes",
    )  # fmt: skip
    assert found["ppo", "is unstable to train"] == ("not tested", "not in this study")


def test_scores_that_no_test_separates_count_for_nothing(expected):
    frames = frames_of(expected, separated=lambda first, second: second == "prompt")
    found = outcomes(frames, expected)
    assert found["full", "scores highest of all"] == (
        "not supported", "3 of 12 pairs for it, 0 against, 9 not separated",
    )  # fmt: skip
    assert found["prompt", "scores below full fine-tuning"][0] == "supported"
    assert found["lora", "scores below full fine-tuning"] == (
        "not supported", "0 of 3 pairs for it, 0 against, 3 not separated",
    )  # fmt: skip


def test_the_sign_of_a_difference_is_that_of_the_order_in_the_table(expected):
    frames = frames_of(expected)
    pairs = frames["pairs"]
    frames["pairs"] = pairs.assign(
        first_method=pairs["second_method"], second_method=pairs["first_method"], difference=-pairs["difference"]
    )
    assert outcomes(frames, expected) == outcomes(frames_of(expected), expected)
    frames["pairs"] = frames["pairs"].assign(difference=-frames["pairs"]["difference"])
    assert outcomes(frames, expected)["full", "scores highest of all"] == (
        "not supported", "0 of 12 pairs for it, 12 against",
    )  # fmt: skip


def test_seconds_count_from_a_margin_on(expected):
    def verdict(prefix):
        return outcomes(frames_of(expected, latency={"prefix": prefix}), expected)[
            "prefix", "is as fast to predict as the base"
        ][0]

    assert [verdict(0.0109), verdict(0.0112)] == ["supported", "not supported"]


def test_what_the_study_does_not_have_is_not_tested(expected):
    few = expected_study(methods=expected.methods[:2], models=expected.models)
    found = outcomes(frames_of(expected), few)
    assert found["prefix", "is as fast to predict as the base"] == ("not tested", "not in this study")


def test_every_claim_is_about_a_technique_of_the_paper_s_section():
    sections = {"full": 1, "adapters": 2, "lora": 3, "prefix": 4, "prompt": 5, "instruction": 6, "ppo": 7}
    assert all(claim.section.startswith(f"5.3.{sections[claim.kind]}.") for claim in claims.CLAIMS)
    assert {claim.kind for claim in claims.CLAIMS} == sections.keys()


def test_the_section_has_a_row_for_each_technique_and_stands_only_beside_other_methods_than_the_paper_s(expected):
    frames = frames_of(expected)
    section = techniques.section(frames, expected)
    assert [table.name for table in section.tables] == [
        *(f"techniques-{task.name}" for task in expected.tasks),
        "claims",
    ]
    first = section.tables[0]
    assert f"with {expected.models[0].title}" in first.caption
    assert [row.cells[0].text for row in first.rows] == [METHODS[kind].title for kind in KINDS]
    row = [cell.text for cell in first.rows[4].cells]
    assert row[1:3] == ["vectors in front", "0.05%"]
    assert "10" in row[5]
    three = expected_study(methods=expected.methods[:3])
    assert techniques.section(frames, three) is None
    other = Named("adapters", "par_bn", kind="adapters", described=False)
    assert techniques.section(frames, expected_study(methods=(*expected.methods[:2], other))) is not None


def test_techniques_that_are_not_above_the_trivial_baseline_are_named(expected):
    frames = frames_of(expected)
    task, model = expected.tasks[0], expected.models[0]
    assert "Not shown to be above" not in techniques.section(frames, expected).paragraphs[0]
    at = (frames["cells"]["method"] == "prompt") & (frames["cells"]["task"] == task.name)
    frames["cells"] = frames["cells"].assign(difference_low=[-0.01 if here else 0.2 for here in at])
    text = techniques.section(frames, expected).paragraphs[0]
    assert f"paired difference: {model.title} with {METHODS['prompt'].title} on {task.title}. How" in text


def test_runs_that_failed_are_no_rows(expected):
    frames = frames_of(expected)
    frames["costs"] = frames["costs"].assign(
        status=["failed" if m == "prompt" else "ok" for m in frames["costs"]["method"]]
    )
    section = techniques.section(frames, expected)
    assert len(section.tables[0].rows) == 4
    assert pd.notna(frames["costs"]["saved_bytes"]).all()


def test_a_model_that_pleases_its_reward_model_and_not_the_task_found_a_weakness(expected):
    methods = (*expected.methods, Named("rlhf", "RLHF", kind="ppo"))
    tuned, frames = expected_study(methods=methods, models=expected.models), frames_of(expected)
    at = {"task": "qa", "model": expected.models[0].name, "method": "rlhf"}

    def verdict(metric_high):
        rows = [
            at | {"judge": "reward", "difference_low": 0.1, "difference_high": 0.3},
            at | {"judge": "metric", "difference_low": -0.3, "difference_high": metric_high},
        ]
        preferences = frame_of("preferences", COLUMNS["preferences"], rows)
        return outcomes(frames | {"preferences": preferences}, tuned)["ppo", "finds weaknesses of its reward model"]

    assert verdict(-0.1) == ("supported", "1 of 1 cell for it, 0 against")
    assert verdict(0.1) == ("not supported", "0 of 1 cell for it, 1 against")


@pytest.mark.parametrize(
    ("tuning", "reward", "verdict"),
    [
        (2e9, 2e9, ("supported", "1 of 1 cell for it, 0 against")),
        (2e9, 0.5e9, ("not supported", "0 of 1 cell for it, 1 against")),
        (2e9, None, ("not tested", "not measured here")),
    ],
)
def test_rlhf_computes_much_where_it_and_its_reward_model_compute_more_than_sft(expected, tuning, reward, verdict):
    """Full fine-tuning, the start, takes 3e9 operations here."""
    model = expected.models[0].name
    methods = (*expected.methods, Named("rlhf", "RLHF", kind="ppo"))
    judged = {("qa", model, "rlhf"): ("full", "judge")}
    tuned = expected_study(methods=methods, models=expected.models, judged=judged)
    frames = frames_of(expected)
    at = {"task": "qa", "model": model}
    run = frame_of("costs", COLUMNS["costs"], [at | {"method": "rlhf", "status": "ok", "training_flops": tuning}])
    frames["costs"] = pd.concat([frames["costs"], run], ignore_index=True)
    # Another reward model of the cell is not the one that it learnt from.
    rows = [at | {"reward_model": "judge", "training_flops": reward}, at | {"reward_model": "x", "training_flops": 9e9}]
    frames["rewards"] = frame_of("rewards", COLUMNS["rewards"], rows)
    text = "takes much computation for the reward model and for the tuning"
    assert outcomes(frames, tuned)["ppo", text] == verdict


@pytest.mark.parametrize(
    ("prompt_low", "high", "verdict"),
    [
        (0.01, 0.3, ("supported", "1 of 1 cell for it, 0 against")),
        (-0.01, 0.3, ("not supported", "0 of 1 cell for it, 0 against, 1 not separated")),
        (-0.2, -0.1, ("not supported", "0 of 1 cell for it, 1 against")),
    ],
)
def test_a_held_out_task_is_answered_where_the_model_is_above_the_untuned_one(expected, prompt_low, high, verdict):
    """However that is asked: in the same wordings, and with the prompt that it knows."""
    methods = (*expected.methods, Named("instruct", "Instruct", kind="full", mixture=True))
    tuned = expected_study(methods=methods, models=expected.models)
    cell = {"model": expected.models[0].name, "method": "instruct", "difference_low": 0.05, "difference_high": 0.2,
            "prompt_difference": 0.1, "prompt_difference_low": prompt_low, "prompt_difference_high": high}  # fmt: skip
    rows = [cell | {"task": "qa", "in_mixture": False}, cell | {"task": "sentiment", "in_mixture": True}]
    frames = frames_of(expected) | {"instruction": frame_of("instruction", COLUMNS["instruction"], rows)}
    assert outcomes(frames, tuned)["instruction", "answers tasks that it was not trained on"] == verdict


def test_a_mixture_is_a_technique_of_its_own(expected):
    """One tuned as a whole on all tasks is not full fine-tuning."""
    assert Named("instruct", "Instruct", kind="full", mixture=True).technique == "instruction"
    methods = (Named("instruct", "Instruct", kind="full", mixture=True), *expected.methods[1:])
    other = expected_study(methods=methods, models=expected.models)
    assert outcomes(frames_of(expected), other)["full", "scores highest of all"][0] == "not tested"
    assert techniques.section(frames_of(expected), other) is not None


def test_full_fine_tuning_is_compared_with_techniques_that_train_less(expected):
    """Not with those that start from it, or train all weights on several tasks."""
    whole = Named("dpo", "DPO", kind="dpo"), Named("instruct", "Instruct", kind="full", mixture=True)
    other = expected_study(methods=(*expected.methods, *whole), models=expected.models)
    frames = frames_of(expected)
    costs = frames["costs"]
    same = [costs[costs["method"] == "full"].assign(method=method.name) for method in whole]
    frames["costs"] = pd.concat([costs, *same], ignore_index=True)
    for text in ("takes the most memory to train", "saves the most bytes, a copy of all weights"):
        assert outcomes(frames, other)["full", text] == ("supported", "12 of 12 pairs for it, 0 against")


@pytest.mark.parametrize(
    ("kind", "text", "setting", "values"),
    [
        ("lora", "depends on a rank that is chosen well", "method.r", (16, 2)),
        ("prompt", "needs a learning rate and a length that are chosen well", "method.length", (20, 5)),
        ("prompt", "needs a learning rate and a length that are chosen well", "training.learning_rate", (0.3, 0.03)),
    ],
)
def test_a_technique_depends_on_a_setting_where_cells_that_differ_in_it_are_separated(
    expected, kind, text, setting, values
):
    """On one task they are separated, on the other two they are not; and the same setting twice says nothing."""
    other = expected_study(methods=(*expected.methods, Named("other", "Other", kind=kind)), models=expected.models)
    model, frames = expected.models[0].name, frames_of(expected)

    def verdict(values, tasks):
        settings = [
            {"task": task.name, "model": model, "method": method, "setting": setting, "value": value}
            for task in other.tasks
            for method, value in zip((kind, "other"), values, strict=True)
        ]
        pairs = [
            {"task": task.name, "first_model": model, "first_method": kind, "second_model": model,
             "second_method": "other", "difference": 0.1, "separated": task.name in tasks}
            for task in other.tasks
        ]  # fmt: skip
        more = {"settings": frame_of("settings", COLUMNS["settings"], settings)}
        more["pairs"] = pd.concat([frames["pairs"], frame_of("pairs", COLUMNS["pairs"], pairs)], ignore_index=True)
        return outcomes(frames | more, other)[kind, text]

    names = [task.name for task in other.tasks]
    assert verdict(values, names[:1]) == ("not supported", "1 of 3 pairs for it, 0 against, 2 not separated")
    assert verdict(values, names[:2]) == ("supported", "2 of 3 pairs for it, 0 against, 1 not separated")
    assert verdict(values[:1] * 2, names)[0] == "not tested"
    assert outcomes(frames, other)[kind, text][0] == "not tested"


def test_instruction_tuning_depends_on_the_wording_where_its_answers_differ_by_more_than_chance(expected):
    methods = (*expected.methods, Named("instruct", "Instruct", kind="full", mixture=True))
    tuned, model = expected_study(methods=methods, models=expected.models), expected.models[0].name

    def verdict(*p_values):
        rows = [
            {"task": task.name, "model": model, "method": "instruct", "asked": asked, "in_mixture": True,
             "wordings_p": p}
            for task, p in zip(tuned.tasks, p_values, strict=True)
            for asked in ("trained", "unseen")
        ]  # fmt: skip
        frames = frames_of(expected) | {"instruction": frame_of("instruction", COLUMNS["instruction"], rows)}
        return outcomes(frames, tuned)["instruction", "depends on how an instruction is worded"]

    assert verdict(0.001, 0.05, 0.06) == ("supported", "2 of 3 cells for it, 0 against, 1 not separated")
    assert verdict(0.001, 0.2, 0.06)[0] == "not supported"
    assert verdict(0.001, None, 0.01) == ("supported", "2 of 2 cells for it, 0 against")
    assert verdict(None, None, None) == ("not tested", "not measured here")


def test_rlhf_is_unstable_where_runs_diverge_collapse_or_end_with_less_reward_than_they_had(expected):
    """Errors of 0.03: a difference counts from 1.645 root 2 times that on, 0.0698 (one earlier evaluation), and from
    1.96 root 2 times that on, 0.0832 (two)."""
    model, cell = expected.models[0].name, {"task": "qa", "method": "rlhf", "model": expected.models[0].name}
    methods = (*expected.methods, Named("rlhf", "RLHF", kind="ppo"))
    judged = {("qa", model, "rlhf"): ("full", "judge")}
    cells = tuple(("qa", model, method.name) for method in methods)
    tuned = expected_study(methods=methods, models=expected.models, judged=judged, cells=cells, seeds=(1, 2, 3))

    def verdict(rewards, status=("ok", "ok", "ok"), collapse=("", "", "")):
        frames, metric = frames_of(expected), tuned.tasks[0].primary.name
        results = [
            cell | {"kind": "run", "seed": seed, "metric": name, "primary": name == metric, "status": status[seed - 1],
                    "collapse": collapse[seed - 1]}
            for seed in tuned.seeds
            for name in (metric, "another")
        ]  # fmt: skip
        points = [
            cell | {"seed": seed, "step": 5 * place, "reward": reward, "reward_error": 0.03}
            for seed, own in zip(tuned.seeds, rewards, strict=True)
            for place, reward in enumerate(own)
        ]
        scored = {"metric": metric, "primary": True, "kind": "run", "status": "ok"}
        rows = [cell | scored | {"sd": 0.03}, cell | scored | {"method": "full", "sd": 0.01}]
        frames["cells"] = frame_of("cells", COLUMNS["cells"], rows)
        frames["results"] = frame_of("results", COLUMNS["results"], results)
        frames["observations"] = frame_of("observations", COLUMNS["observations"], points)
        return outcomes(frames, tuned)["ppo", "is unstable to train"]

    wider = "; scores of seeds spread 3.0 times as far as those of SFT"
    calm = [0.0, 0.2, 0.3]
    assert verdict([calm] * 3) == ("not supported", f"0 of 3 runs for it, 3 against{wider}")
    fallen, nearly = [0.0, 0.3, 0.21], [0.0, 0.3, 0.22]
    assert verdict([calm, nearly, fallen])[1].startswith("1 of 3 runs")
    assert verdict([calm, [0.30, 0.24], [0.30, 0.22]])[1].startswith("1 of 3 runs")
    # A run that failed for another reason says nothing, one that diverged has no evaluation at its end.
    assert verdict([calm, [], [0.0]], status=("ok", "failed", "diverged"))[1].startswith("1 of 2 runs")
    assert verdict([calm] * 3, collapse=("", "ends at chance", "ends at chance")) == (
        "supported", f"2 of 3 runs for it, 1 against{wider}",
    )  # fmt: skip
