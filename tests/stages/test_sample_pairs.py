"""Pairs that a tuned model samples: the rules by hand, the same bits after a stop, and what ends without pairs."""

import json
import os
import re

import pytest

from tests.support.preferring import DPO, SFT
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import read_parquet
from tunegrid.results.records import TrainRecord, read_record
from tunegrid.runtime.attempts import Attempt, AttemptFailed
from tunegrid.runtime.provenance import now
from tunegrid.stages.sample_pairs import sample_pairs, write_failed_pairs
from tunegrid.study.cells import Run
from tunegrid.tasks.pairs import SampledAnswers

SOURCE = {"kind": "sampled", "from": "full", "samples": 3}
SPLITS = ("train", "validation", "test")


def source(**settings) -> SampledAnswers:
    return SampledAnswers.model_validate(SOURCE | settings)


@pytest.fixture
def sampling(preferring):
    """The study whose DPO learns from sampled pairs, its start trained."""

    def make(train: bool = True, methods: dict | None = None, **settings):
        dpo = {"kind": "dpo", "sft": "full", "pairs": "own"}
        return preferring(
            train=train,
            methods={"dpo": dpo | (methods or {})},
            preferences={"own": {"source": SOURCE | settings}},
            tasks={"translation": {"evaluation_batch_size": 8}},
        )

    return make


def content(folder) -> list[bytes]:
    return [(folder / f"{split}.parquet").read_bytes() for split in SPLITS]


def test_rules_by_hand():
    best = source()
    assert best.pair(["a", "b", "c"], [0.2, 0.9, 0.1], "r") == ("b", "c")
    assert best.pair(["a", "b", "c"], [0.5, 0.5, 0.5], "r") is None, "none is preferred"
    reference = source(rule="reference")
    assert reference.pair(["a", "b"], [0.5, 0.4], "r") == ("r", "b")
    assert reference.pair(["r", "r"], [1.0, 1.0], "r") is None


def test_the_chosen_answer_scores_more_than_the_rejected_one_and_both_are_the_model_s(sampling):
    study = sampling()
    task, folder = study.task("translation"), study.paths.pairs("translation", "own", "t5")
    card = json.loads((folder / "card.json").read_text())
    assert card["reason"] is None
    for split in SPLITS:
        pairs = read_parquet(folder / f"{split}.parquet")
        rows = {row["id"]: row for row in read_parquet(study.paths.split("translation", split))}
        assert 0 < len(pairs) == card["rows"][split] <= card[split]["rows"] == len(rows)
        of_pairs = [rows[pair["id"]] for pair in pairs]
        chosen, rejected = (
            task.score([pair[name] for pair in pairs], of_pairs).examples["chrf"].to_numpy()
            for name in ("chosen", "rejected")
        )
        assert (chosen > rejected).all()
        assert all(pair["source"] == row["source"] for pair, row in zip(pairs, of_pairs, strict=True))
    assert not list(study.paths.root.glob("checkpoints/preferences/*/*/*"))


def test_answers_follow_from_the_seed_alone(sampling):
    study = sampling()
    first = content(study.paths.pairs("translation", "own", "t5"))
    sample_pairs(study, "translation", "t5", "own", study.paths.root / "again")
    assert content(study.paths.root / "again") == first
    other = sampling(seed=1)
    assert content(other.paths.pairs("translation", "own", "t5")) != first


def test_what_was_sampled_before_a_death_is_taken_over(sampling, monkeypatch):
    from tunegrid.stages import sample_pairs as stage

    monkeypatch.setattr(stage, "BATCHES", 1)
    study, calls = sampling(), []
    whole, real = content(study.paths.pairs("translation", "own", "t5")), stage._Sampler.answers

    def dies(sampler, *given):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(sampler, *given)

    monkeypatch.setattr(stage._Sampler, "answers", dies)
    folder = study.paths.root / "again"
    with pytest.raises(KeyboardInterrupt):
        sample_pairs(study, "translation", "t5", "own", folder)
    assert not folder.exists()
    sample_pairs(study, "translation", "t5", "own", folder)
    sizes = [len(read_parquet(study.paths.split("translation", split))) for split in SPLITS]
    assert len(calls) == sum(-(-size // 8) for size in sizes) + 1, "only the part that died was sampled twice"
    assert content(folder) == whole


def test_pairs_of_a_run_that_failed_are_none_and_fail_the_cell_with_that_reason(sampling):
    from tunegrid.stages.train import train

    study = sampling()
    file = study.paths.run(Run(SFT, 1)) / "train.json"
    facts = {"status": "diverged", "reason": "at step 3 the loss is nan", "weights": None, "cost": None}
    good = file.read_text()
    file.write_text(read_record(file, TrainRecord).model_copy(update=facts).model_dump_json())
    folder = study.paths.pairs("translation", "own", "t5")
    sample_pairs(study, "translation", "t5", "own", folder)
    assert [read_parquet(folder / f"{split}.parquet") for split in SPLITS] == [[], [], []]
    file.write_text(good)
    record = train(study, Run(DPO, 1), study.paths.run(Run(DPO, 1)))
    assert record.status == "failed"
    assert record.reason.startswith(
        "it needs the pairs own, of which there are none: it starts from translation_t5_full"
    )
    assert record.reason.endswith("at step 3 the loss is nan")


def test_sampling_that_fails_or_dies_at_its_last_attempt_leaves_no_pairs_with_the_reason(sampling, monkeypatch):
    from tunegrid.stages import sample_pairs as stage

    def no_memory(*_):
        raise MemoryError("cannot allocate")

    study = sampling()
    folder = study.paths.pairs("translation", "own", "t5")
    began = now()
    good = content(folder)
    monkeypatch.setattr(stage._Sampler, "answers", no_memory)
    with pytest.raises(AttemptFailed, match="pairs own of t5: MemoryError: cannot allocate"):
        sample_pairs(study, "translation", "t5", "own", folder, Attempt(1, 2))
    assert content(folder) == good, "there is another attempt"
    sample_pairs(study, "translation", "t5", "own", folder, Attempt(2, 2))
    reason = json.loads((folder / "card.json").read_text())["reason"]
    assert reason == "MemoryError: cannot allocate (attempt 2 of 2)"
    assert [read_parquet(folder / f"{split}.parquet") for split in SPLITS] == [[], [], []]
    # What it wrote before it died stays; what a process before it wrote does not.
    write_failed_pairs(study, "translation", "t5", "own", folder, "killed by SIGKILL", began)
    assert json.loads((folder / "card.json").read_text())["reason"] == reason
    os.utime(folder / "card.json", (0, 0))
    write_failed_pairs(study, "translation", "t5", "own", folder, "killed by SIGKILL", now())
    assert json.loads((folder / "card.json").read_text())["reason"] == "killed by SIGKILL"


def test_a_model_that_answers_the_same_each_time_leaves_no_pairs_and_says_what_to_do(sampling, monkeypatch):
    from tunegrid.stages import sample_pairs as stage

    def reason(rule, answer):
        monkeypatch.setattr(stage._Sampler, "answers", lambda _, rows, seed: [[answer(row)] * 3 for row in rows])
        study = sampling(rule=rule)
        return json.loads((study.paths.pairs("translation", "own", "t5") / "card.json").read_text())["reason"]

    start = r"^preferences\.own: the train split has no pairs, for the rule "
    assert re.search(
        rf"{start}best-worst prefers no answer of full: in (\d+) of \1 rows all 3 answers are the same text, .*the same "
        r"chrf, .* Set `samples` or `rows` higher, or `rule: reference`\.$",
        reason("best-worst", lambda row: "Haus"),
    )
    assert re.search(
        rf"{start}reference prefers no .* each is the reference or .* Set `samples` or `rows` higher\.$",
        reason("reference", lambda row: row["target"]),
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"from": "ful"}, r"preferences\.own\.source\.from: unknown: 'ful'.*Did you mean full"),
        ({"from": "dpo"}, r"preferences\.own\.source\.from: dpo starts from another run itself"),
        ({"samples": 1}, r"preferences\.own\.source.*samples"),
        ({"rule": "best"}, r"preferences\.own\.source.*rule"),
    ],
)
def test_wrong_settings_end_before_any_job(sampling, changes, message):
    with pytest.raises(TuneGridError, match=message):
        sampling(train=False, **changes)


def test_the_job_is_known_by_the_name_that_snakemake_gives_it(sampling):
    from tunegrid.study.status.items import items

    study = sampling(train=False)
    (job,) = [item for item in items(study) if item.stage == "pairs"]
    assert job.comment == "rule_sample_pairs_wildcards_translation_own_t5", "wildcards as they follow in the output"
    assert job.command == ("sample-pairs", "translation", "t5", "own")
    assert job.done == study.paths.pairs_card("translation", "own", "t5")


def test_each_command_names_the_other_for_pairs_that_are_not_its_own(sampling, tiny, capsys):
    sampling(train=False)
    config = [str(tiny), "changes.yaml"]
    assert main(["fetch-pairs", *config, "--task", "translation", "--pairs", "own"]) == 1
    assert "tunegrid sample-pairs makes these pairs" in capsys.readouterr().err
