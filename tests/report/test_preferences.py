"""The report's section on learning from preferences, made of tables alone."""

import pytest

from tests.support.study_on_disk import expected_study
from tunegrid.common.digits import DASH
from tunegrid.report import preferences
from tunegrid.results.expected import Named
from tunegrid.results.tables import COLUMNS
from tunegrid.results.tables.frames import frame_of

CELL = {"task": "translation", "model": "mini-t5", "method": "lora", "start": "full", "reward_model": "judge"}
REWARD = {
    "task": "translation", "model": "mini-t5", "reward_model": "judge", "status": "ok", "test_pairs": 1000, "accuracy": 0.912,
    "test_loss": 0.2027, "calibration_error": 0.0312, "optimisation_seconds": 12.0,
}  # fmt: skip


@pytest.fixture
def frames_of():
    def make(**rows):
        return {name: frame_of(name, columns, rows.get(name, [])) for name, columns in COLUMNS.items()}

    return make


def judged(judge: str, difference: float) -> dict:
    return CELL | {
        "judge": judge, "seeds": 3, "examples": 120, "win_rate": 0.6, "win_rate_low": 0.55, "win_rate_high": 0.65,
        "difference": difference, "difference_low": difference - 0.05, "difference_high": difference + 0.05,
    }  # fmt: skip


def texts(section) -> str:
    return "\n".join(cell.text for table in section.tables for row in table.rows for cell in row.cells)


def test_a_study_without_preferences_has_no_such_section(frames_of):
    assert preferences.section(frames_of(), expected_study()) is None
    assert preferences.warnings(frames_of(), expected_study()) == []


def test_its_numbers_are_those_of_the_tables(frames_of):
    expected = expected_study(judged={("translation", "mini-t5", "lora"): ("full", "judge")})
    point = {"task": "translation", "model": "mini-t5", "method": "lora", "seed": 1, "kl": 0.0, "reward": 0.25,
             "score": 0.5}  # fmt: skip
    frames = frames_of(
        rewards=[REWARD, REWARD | {"reward_model": "other", "status": "diverged"}],
        preferences=[judged("reward", 0.2), judged("metric", -0.01)],
        observations=[point | {"step": 0}, point | {"step": 20}, point | {"step": 40, "kl": 1.5, "reward": 0.75}],
    )
    section = preferences.section(frames, expected)
    shown = texts(section)
    for text in ("91.2%", "0.203", "0.031", "diverged", "60.0% (55.0% to 65.0%)", "+0.200 (+0.150 to +0.250)"):
        assert text in shown, text
    assert "+0.750" in shown
    assert "0.5000" in shown
    assert "1.500" in shown, "the last evaluation"
    last = section.tables[-1]
    assert len(last.rows) == 2, "the first and the last evaluation alone"
    once = preferences.section(frames | {"observations": frames["observations"].head(1)}, expected).tables[-1]
    assert len(once.rows) == 1, "an evaluation that is both the first and the last"


def test_operations_are_those_of_the_updates_the_passes_beside_them_and_the_reward_model_that_is_learnt_from(frames_of):
    """By hand: PPO (3 + 1 + 2 T) / 4 T = 1.5 times SFT; DPO, which its reward model only judges, (3 + 1) / 4 T."""
    methods = (Named("full", "Full", kind="full"), Named("rlhf", "RLHF", kind="ppo"), Named("dpo", "DPO", kind="dpo"))
    at = {"task": "translation", "model": "mini-t5"}
    judged = {(*at.values(), name): ("full", "judge") for name in ("rlhf", "dpo")}
    expected = expected_study(methods=methods, judged=judged)
    costs = [at | {"method": "full", "training_flops": 4e12, "forward_flops": 0.0}]
    costs += [at | {"method": name, "training_flops": 4e12, "forward_flops": 1e12} for name in ("rlhf", "dpo")]
    frames = frames_of(rewards=[REWARD | {"training_flops": 2e12}], costs=costs)
    section = preferences.section(frames, expected)
    (table,) = (table for table in section.tables if table.name == "preference-operations")
    assert [[cell.text for cell in row.cells][1:] for row in table.rows] == [
        ["RLHF", "4 T", "3 T", "1 T", "2 T", "1.5"],
        ["DPO", "4 T", "3 T", "1 T", DASH, "1.0"],
    ]


def test_a_score_that_ranked_the_pairs_is_not_called_an_independent_judge(frames_of):
    judged_cell = ("translation", "mini-t5", "lora")
    frames = frames_of(rewards=[REWARD], preferences=[judged("reward", 0.2), judged("metric", 0.1)])
    plain = preferences.section(frames, expected_study(judged={judged_cell: ("full", "judge")}))
    assert any("had no part in the training" in text for text in plain.paragraphs)
    assert "which ranked its pairs" not in texts(plain)
    study = expected_study(judged={judged_cell: ("full", "judge")}, ranked=(judged_cell,))
    ranked = preferences.section(frames, study)
    assert not any("had no part in the training" in text for text in ranked.paragraphs)
    assert any("ranked the pairs from which LoRA learned" in text for text in ranked.paragraphs)
    assert texts(ranked).count("which ranked its pairs") == 1


@pytest.mark.parametrize(("metric", "warned"), [(-0.2, True), (-0.01, False), (0.2, False)])
def test_who_pleases_the_reward_model_and_fails_the_task_is_named_on_page_one(frames_of, metric, warned):
    expected = expected_study()
    found = preferences.warnings(frames_of(preferences=[judged("reward", 0.2), judged("metric", metric)]), expected)
    assert len(found) == warned
    assert all("Over-optimised" in text for text in found)


@pytest.mark.parametrize(("low", "warned"), [(0.45, True), (0.5, True), (0.51, False), (None, False)])
def test_a_reward_model_that_may_be_chance_is_named_on_page_one(frames_of, low, warned):
    interval = {} if low is None else {"accuracy_low": low, "accuracy_high": 0.7}
    frames = frames_of(rewards=[REWARD | {"accuracy": 0.6, "test_pairs": 50} | interval])
    found = preferences.warnings(frames, expected_study())
    assert len(found) == warned
    assert all("judge" in text and "not shown to be more than chance" in text for text in found)
    if low is not None:
        assert f"60.0% ({low:.1%} to 70.0%)" in texts(preferences.section(frames, expected_study()))


def test_the_figure_has_a_line_of_panels_for_each_task_and_model(frames_of):
    import matplotlib as mpl

    from tunegrid.report.figures import preferences as figure

    mpl.use("Agg")
    assert figure.draw(frames_of(), expected_study()) is None
    points = [
        {"task": task, "model": "mini-t5", "method": "lora", "seed": seed, "step": step, "reward": 0.1 * step, "kl": 0.2,
         "length": 9.0, "score": 0.5}
        for task in ("translation", "qa") for seed in (1, 2) for step in (0, 10)
    ]  # fmt: skip
    canvas = figure.draw(frames_of(observations=points), expected_study())
    assert len(canvas.axes) == 8
    assert all(len(axis.lines) == 2 for axis in canvas.axes)
    assert [title.get_text() for title in (axis.title for axis in canvas.axes[:2])] == ["reward", "KL, nats per answer"]
