"""The tiny study with cells that learn from preferences."""

import pytest
import yaml

from tunegrid.study.cells import Cell, Run

SFT, DPO = Cell("translation", "t5", "full"), Cell("translation", "t5", "dpo")
PLAIN = {"max_steps": 6, "batch_size": 8, "learning_rate": 1e-3, "logging_steps": 2}


@pytest.fixture
def preferring(tiny_study):
    """Makes the study, with what its cells start from; `changes` are laid over it."""

    def make(model: str = "t5", train: bool = True, **changes):
        """`train`: whether pairs are fetched, and the run and the reward models that are needed are trained."""
        from tunegrid.stages.fetch_pairs import fetch_pairs
        from tunegrid.stages.sample_pairs import sample_pairs
        from tunegrid.stages.train import train as train_run
        from tunegrid.stages.train_reward import train_reward
        from tunegrid.study.needs import used_pairs, used_rewards

        values = {
            "grid": {"tasks": ["translation"], "models": [model], "methods": ["full", "dpo"]},
            "preferences": {"worse": {"source": {"kind": "corrupted", "rule": "drop", "share": 0.5}}},
            "methods": {"dpo": {"kind": "dpo", "sft": "full", "pairs": "worse"}},
            "training": PLAIN,
        }
        for key, value in changes.items():
            values[key] = values.get(key, {}) | value
        study = tiny_study(yaml.safe_dump(values))
        if train:
            run = Run(Cell("translation", model, "full"), 1)
            train_run(study, run, study.paths.run(run))
            for place in used_pairs(study):
                task, name, of = place
                if of is None:
                    fetch_pairs(study, task, name, study.paths.pairs(*place))
                else:
                    sample_pairs(study, task, of, name, study.paths.pairs(*place))
            for names in used_rewards(study):
                assert train_reward(study, *names, study.paths.reward(*names)).status == "ok"
        return study

    return make
