"""`tunegrid summary`: what limits the scores, and which rows beside the runs have none."""

import json
from pathlib import Path

from tests.support.instructed import MIXTURE, cell
from tests.support.preferring import PLAIN, SFT
from tunegrid.runtime.provenance import now
from tunegrid.stages.evaluate import evaluate_baseline
from tunegrid.stages.share_training import share_training
from tunegrid.stages.summary import summarise
from tunegrid.stages.train import write_failure
from tunegrid.stages.train_reward import write_failed_reward
from tunegrid.study.cells import Cell, Run
from tunegrid.study.needs import pairs_place


def test_ceilings_below_099_and_failed_baselines_are_lines(tiny_study, monkeypatch):
    from tunegrid.tasks import translation

    study = tiny_study()
    for file in study.paths.root.glob("tokens/*/*/ceiling.json"):
        record = json.loads(file.read_text())
        scores = dict.fromkeys(record["references"], 1.0)
        high = {"references": scores, "written": scores, "within_lengths": scores}
        low = {"written": dict.fromkeys(scores, 0.5), "within_lengths": dict.fromkeys(scores, 0.5), "not_written": 7}
        lost = {"lost_characters": [{"character": "Ö", "rows": 7}]}
        changes = low | lost if file.parts[-3:-1] == ("translation", "t5") else {}
        file.write_text(json.dumps(record | high | changes))
    text, complete = summarise(study)
    (line,) = [line for line in text.splitlines() if "ceiling" in line]
    assert line == (
        "  ceiling: Translation: t5 can score at most BLEU 0.5000: 7 of 13 test references hold what the vocabulary "
        "cannot write (Ö)."
    )
    assert "baseline" not in text

    def fail(*_: object) -> list[str]:
        raise ValueError("no way")

    monkeypatch.setattr(translation, "copy_source", fail)
    evaluate_baseline(study, "translation", "copy", Path(study.paths.baseline("translation", "copy")))
    text, complete = summarise(study)
    assert "  failed: translation, baseline copy: ValueError: no way" in text.splitlines()
    assert not complete, "no run is done"


def forced(text: str) -> set[str]:
    """The files that the command of a summary makes again."""
    (line,) = [line for line in text.splitlines() if "try again what failed" in line] or ["--forcerun "]
    return set(line.partition("--forcerun ")[2].split())


def test_what_is_tried_again_of_a_failed_mixture_is_its_training(own_instructed):
    instructed = own_instructed
    write_failure(instructed, Run(MIXTURE, 1), instructed.paths.run(Run(MIXTURE, 1)), "no memory", now())
    for task in instructed.grid.tasks:
        share_training(instructed, Run(cell(task), 1), instructed.paths.run(Run(cell(task), 1)))
    text, _ = summarise(instructed)
    assert text.count("\n  failed: ") == len(instructed.grid.tasks)
    assert forced(text) == {"results/instructed/mixtures/runs/t5/instruct/seed-1/train.json"}


def test_what_is_tried_again_of_a_run_without_reward_model_is_that_one_unless_it_diverged(preferring):
    study = preferring(
        grid={"methods": ["full", "ppo"]},
        methods={"ppo": {"kind": "ppo", "sft": "full", "reward": "judge"}},
        rewards={"judge": {"pairs": "worse", "training": PLAIN}},
    )
    ppo, folder = Run(Cell("translation", "t5", "ppo"), 1), study.paths.reward("translation", "t5", "judge")
    (folder / "reward.json").unlink()
    write_failed_reward(study, "translation", "t5", "judge", folder, "no memory", now())
    write_failure(study, ppo, study.paths.run(ppo), "it needs the reward model judge", now())
    text, _ = summarise(study)
    assert "  failed: the reward model judge of t5 for translation: no memory" in text.splitlines()
    assert forced(text) == {str(folder / "reward.json"), str(study.paths.run(ppo) / "train.json")}
    file = folder / "reward.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"status": "diverged"}))
    text, _ = summarise(study)
    assert "what diverged would do so again" in text
    assert forced(text) == set()
    file.unlink()
    start = study.paths.run(Run(SFT, 1))
    (start / "train.json").unlink()
    write_failure(study, Run(SFT, 1), start, "no memory", now())
    assert forced(summarise(study)[0]) == {str(start / "train.json"), str(study.paths.run(ppo) / "train.json")}
    file = start / "train.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"status": "diverged"}))
    assert forced(summarise(study)[0]) == set()


def test_what_is_tried_again_of_a_run_without_pairs_is_these_and_the_run(preferring):
    study = preferring(
        grid={"methods": ["full", "dpo"]}, methods={"dpo": {"kind": "dpo", "sft": "full", "pairs": "worse"}}
    )
    dpo = Run(Cell("translation", "t5", "dpo"), 1)
    card = study.paths.pairs_card(*pairs_place(study, "translation", "t5", "worse"))
    card.write_text(json.dumps(json.loads(card.read_text()) | {"reason": "no memory"}))
    write_failure(study, dpo, study.paths.run(dpo), "it needs the pairs worse", now())
    assert forced(summarise(study)[0]) == {str(card), str(study.paths.run(dpo) / "train.json")}
