"""Training after a search: the chosen learning rate, a failed search, and a choice of other settings."""

from pathlib import Path

import pytest

from tests.support.learning_rate_search import CELL, searched_study
from tunegrid.common.errors import TuneGridError
from tunegrid.results.records import MetricsRecord, TrainRecord, read_record
from tunegrid.stages.search import choose_rate
from tunegrid.study.cells import Run


def test_the_training_uses_the_chosen_rate_and_says_where_it_is_from(tiny_study):
    from tunegrid.stages.train import train

    study = searched_study(tiny_study, {"0.33": 0.1, "1": 0.2, "4": 0.9})
    choice = choose_rate(study, CELL)
    assert (choice.factor, choice.learning_rate, choice.configured_learning_rate) == (4.0, 0.02, 0.005)
    record = train(study, Run(CELL, 1), Path("searched"))
    assert record.status == "ok"
    assert record.configuration["training"]["learning_rate"] == 0.02
    assert record.configuration["search"] == {"factor": 4.0, "configured_learning_rate": 0.005}
    plain = train(tiny_study("training: {max_steps: 3, learning_rate: 0.02}"), Run(CELL, 1), Path("plain"))
    unsearched = {key: value for key, value in record.configuration.items() if key != "search"}
    assert unsearched == plain.configuration
    assert record.configuration_hash != plain.configuration_hash
    weights = [Path(name, "weights/adapter_model.safetensors").read_bytes() for name in ("searched", "plain")]
    assert weights[0] == weights[1]


def test_a_cell_whose_trials_all_failed_is_a_failed_run(tiny_study):
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.summary import summarise
    from tunegrid.stages.train import train

    study = searched_study(tiny_study, {"1": None, "3": None})
    assert choose_rate(study, CELL).status == "failed"
    folder = study.paths.run(Run(CELL, 1))
    train(study, Run(CELL, 1), folder)
    evaluate_run(study, Run(CELL, 1), folder)
    trained, scored = (
        read_record(folder / "train.json", TrainRecord),
        read_record(folder / "metrics.json", MetricsRecord),
    )
    assert trained.status == scored.status == "failed"
    assert trained.reason.startswith("no learning rate of the search could be scored (0.005 failed: of itself; ")
    assert list((folder / "weights").iterdir()) == []
    # Training again would read the same choice again.
    text, complete = summarise(study)
    assert not complete
    folder = study.paths.search(CELL)
    assert f"--forcerun {folder}/factor-1.json {folder}/factor-3.json" in text


def test_training_wants_a_choice_of_its_own_settings(tiny_study):
    from tunegrid.stages.train import train

    study = searched_study(tiny_study, {"1": 0.5, "3": 0.1})
    with pytest.raises(TuneGridError, match=r"choice\.json: not there.*search-trial"):
        train(study, Run(CELL, 1), Path("out"))
    choose_rate(study, CELL)
    other = tiny_study("search: {factors: [1.0, 3.0], validation_rows: 2}\ntraining: {max_steps: 3}")
    with pytest.raises(TuneGridError, match="chosen with other settings"):
        train(other, Run(CELL, 1), Path("out"))
    assert not Path("out/train.json").exists()
