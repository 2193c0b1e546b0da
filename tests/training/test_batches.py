"""The order of training: seeded, bucketed by length, and the same after an interruption."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.seals import seal_base
from tunegrid.study.cells import Cell, Run

METHODS = ("full", "lora", "adapters")


def make_sampler(rows: int = 1030, batch: int = 8, seed: int = 1, buckets: bool = True):
    from tunegrid.training.batches import SeededSampler

    lengths = np.random.default_rng(0).integers(2, 100, rows)
    return SeededSampler(lengths, batch, seed, buckets)


@pytest.mark.parametrize("buckets", [True, False])
@pytest.mark.parametrize(("rows", "batch"), [(450, 4), (400, 4), (5, 8), (8, 8), (101, 1), (1, 4)])
def test_each_epoch_is_a_permutation_of_all_rows(rows, batch, buckets):
    sampler = make_sampler(rows, batch, buckets=buckets)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        assert sorted(sampler) == list(range(rows))
    assert len(sampler) == rows


def test_seed_and_epoch_alone_decide_the_order():
    np.random.seed(0)
    first = list(make_sampler())
    np.random.seed(1)
    again = make_sampler()
    assert list(again) == first
    assert list(again) == first, "reading it does not change it"
    again.set_epoch(1)
    assert list(again) != first
    again.set_epoch(0)
    assert list(again) == first
    assert list(make_sampler(seed=2)) != first


def batches(sampler) -> list[list[int]]:
    order = list(sampler)
    return [order[start : start + sampler.batch_size] for start in range(0, len(order), sampler.batch_size)]


def padded(sampler) -> int:
    return sum(len(batch) * max(sampler.lengths[batch]) for batch in batches(sampler))


def as_lists(dataset) -> list[dict[str, list[int]]]:
    return [{name: ids.tolist() for name, ids in dataset[i].items()} for i in range(len(dataset))]


def test_rows_of_a_table_in_chunks_are_read_where_they_lie(tmp_path):
    import pyarrow

    from tunegrid.data.tokens import read_tokens
    from tunegrid.training.batches import TokenDataset

    generator = np.random.default_rng(0)
    ids = pyarrow.list_(pyarrow.int32())
    schema = pyarrow.schema([("input_ids", ids), ("row", pyarrow.int32()), ("labels", ids)])
    wanted = []
    with pyarrow.OSFile(str(tmp_path / "tokens.arrow"), "wb") as sink, pyarrow.ipc.new_file(sink, schema) as writer:
        for rows in (5, 1, 0, 300, 20_000):
            columns = {
                name: [generator.integers(0, 100, size).tolist() for size in generator.integers(1, 60, rows)]
                for name in ("input_ids", "labels")
            }
            wanted += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            columns["row"] = list(range(rows))
            batch = pyarrow.RecordBatch.from_pydict(columns, schema=schema)
            writer.write_batch(batch)
    del batch
    before = pyarrow.total_allocated_bytes()
    table = read_tokens(tmp_path / "tokens.arrow")
    dataset = TokenDataset(table)
    assert as_lists(dataset) == wanted
    assert dataset.lengths().tolist() == [len(row["input_ids"]) + len(row["labels"]) for row in wanted]
    assert pyarrow.total_allocated_bytes() - before < 1e5, "4 MB of token ids stay in the file"
    part = TokenDataset(table.slice(3, 200))
    assert as_lists(part) == wanted[3:203]
    with pytest.raises(IndexError):
        part[200]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", ["t5", "bart"])
def test_a_batch_is_what_transformers_collator_makes_of_the_same_rows(checkpoints, family, side):
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, DataCollatorForSeq2Seq

    from tunegrid.training.batches import Collator

    tokenizer = AutoTokenizer.from_pretrained(checkpoints / family, padding_side=side)
    model = AutoModelForSeq2SeqLM.from_pretrained(checkpoints / family)
    # The third has the padding's id among its own, which is no padding.
    rows = [([5, 6, 7, 8], [9, 1]), ([7], [5, 6, 8, 1]), ([tokenizer.pad_token_id, 6, 5], [1])]
    arrays = [{"input_ids": np.array(a, "int32"), "labels": np.array(b, "int32")} for a, b in rows]
    batch = Collator(tokenizer, model)(arrays)
    wanted = DataCollatorForSeq2Seq(tokenizer, model=model)([{"input_ids": a, "labels": b} for a, b in rows])
    assert batch.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert batch[name].dtype == tensor.dtype
        assert torch.equal(batch[name], tensor)


def test_buckets_reduce_padding_to_little_more_than_the_tokens():
    tokens = make_sampler().lengths.sum()
    plain, bucketed = padded(make_sampler(buckets=False)) - tokens, padded(make_sampler()) - tokens
    assert bucketed < plain / 5


def test_batches_of_buckets_come_in_mixed_order():
    means = [make_sampler().lengths[batch].mean() for batch in batches(make_sampler())[:-1]]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3


def test_the_short_batch_is_the_last_and_the_only_one():
    sampler = make_sampler(1030, 8)
    for epoch in range(5):
        sampler.set_epoch(epoch)
        # A batch that straddles two buckets would hold far apart lengths; one that is whole spans few.
        spans = [np.ptp(sampler.lengths[batch]) for batch in batches(sampler)[:-1]]
        assert max(spans) < 30
        assert len(batches(sampler)[-1]) == 1030 % 8


# -- with the Trainer -------------------------------------------------------------------------------------------------

TRAINING = "{max_steps: 6, batch_size: 9, gradient_accumulation_steps: 2, learning_rate: 5.0e-3, checkpoint_steps: 2}"
# 40 rows in batches of 9, two of them to a step: 3 steps an epoch, so that step 4 stands in the middle of the second.


class Interrupted(KeyboardInterrupt):
    """As a person's Ctrl+C: no error that `train` turns into a record."""


@pytest.fixture
def train_until(monkeypatch):
    """Trains a run and breaks it off after some steps; returns the rows of each batch."""

    def run_training(study, run: Run, stop: int | None = None) -> list[list[tuple[int, ...]]]:
        from tunegrid.stages.train import train
        from tunegrid.training.trainer import GridTrainer

        seen: list[list[tuple[int, ...]]] = []
        step = GridTrainer.training_step

        def spy(trainer, model, inputs, *arguments, **options):
            if stop is not None and trainer.state.global_step == stop:
                raise Interrupted
            seen.append([tuple(row.tolist()) for row in inputs["input_ids"]])
            return step(trainer, model, inputs, *arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(GridTrainer, "training_step", spy)
            folder = study.paths.run(run)
            if stop is None:
                assert train(study, run, folder).status == "ok"
            else:
                with pytest.raises(Interrupted):
                    train(study, run, folder)
        return seen

    return run_training


def unpadded(epoch: list[list[tuple[int, ...]]]) -> list[tuple[int, ...]]:
    return [tuple(token for token in row if token != 0) for batch in epoch for row in batch]


def test_the_trainer_sees_each_row_once_per_epoch_in_the_sampler_s_order_of_that_epoch(tiny_study, train_until):
    from tunegrid.data.tokens import read_tokens
    from tunegrid.training.batches import SeededSampler, TokenDataset

    study = tiny_study(f"training: {TRAINING}")
    seen = train_until(study, Run(Cell("qa", "t5", "full"), 1))
    first, second = seen[:5], seen[5:10]
    assert [len(batch) for batch in first] == [9, 9, 9, 9, 4]
    assert sorted(unpadded(first)) == sorted(unpadded(second))
    assert unpadded(first) != unpadded(second)
    dataset = TokenDataset(read_tokens(study.paths.tokens("qa", "t5") / "train.arrow"))
    sampler = SeededSampler(dataset.lengths(), 9, seed=1, buckets=False)
    for epoch, batches_seen in enumerate((first, second)):
        sampler.set_epoch(epoch)
        assert unpadded(batches_seen) == [tuple(dataset[i]["input_ids"]) for i in sampler]


@pytest.mark.parametrize("method", METHODS)
def test_a_run_resumed_in_the_middle_of_an_epoch_ends_with_the_same_bits(tiny_study, train_until, method):
    study = tiny_study(f"training: {TRAINING}")
    run = Run(Cell("qa", "t5", method), 1)
    folder = study.paths.run(Run(Cell("qa", "t5", method), 1))
    undisturbed = train_until(study, run)
    whole = Path("whole")
    folder.rename(whole)

    train_until(study, run, stop=4)
    assert not (folder / "weights").exists()
    assert not (folder / "train.json").exists()
    kept = list(study.paths.root.glob("checkpoints/*/*/*/*/checkpoint-*"))
    assert sorted(path.name for path in kept) == ["checkpoint-2", "checkpoint-4"]
    resumed = train_until(study, run)
    assert resumed == undisturbed[-len(resumed) :]
    assert len(resumed) < len(undisturbed), "it began anew"
    assert_same_run(folder, whole)
    assert not list(study.paths.root.glob("checkpoints/*/*/*/*/*")), "checkpoints are left after a success"


def test_a_checkpoint_that_was_not_written_to_its_end_is_not_used(tiny_study, train_until):
    study = tiny_study(f"training: {TRAINING}")
    run = Run(Cell("qa", "t5", "lora"), 1)
    train_until(study, run, stop=4)
    (newest,) = study.paths.root.glob("checkpoints/*/*/*/*/checkpoint-4")
    state = newest / "trainer_state.json"  # what is written last
    state.write_text(state.read_text()[:100])
    assert len(train_until(study, run)) == 6, "it goes on from step 2, with 4 of 10 batches done"


def test_a_checkpoint_of_another_configuration_is_neither_used_nor_removed(tiny_study, train_until):
    run = Run(Cell("qa", "t5", "lora"), 1)
    train_until(tiny_study(f"training: {TRAINING}"), run, stop=4)
    (checkpoints,) = Path("results/tiny/checkpoints").glob("*/*/*/*")
    seen = train_until(tiny_study(f"training: {TRAINING.replace('5.0e-3', '4.0e-3')}"), run)
    assert len(seen) == 10, "it went on from a checkpoint that is not its own"
    assert checkpoints.is_dir()


def test_whatever_alters_the_weights_has_checkpoints_of_its_own(tiny_study, monkeypatch):
    from tunegrid.methods.lora import Lora
    from tunegrid.stages.train import train
    from tunegrid.training.session import TrainingSummary

    folders = []

    def fit(method, session):
        folders.append(session.checkpoints)
        return TrainingSummary()

    monkeypatch.setattr(Lora, "fit", fit)
    changes = [
        "{}",
        "training: {learning_rate: 4.0e-3}",
        "methods: {lora: {r: 3}}",
        "tasks: {qa: {max_source_length: 40}}",
        "tasks: {qa: {max_target_length: 7}}",
        "tasks: {qa: {prompts: {t5: 'q {question} c {context}'}}}",
    ]
    cell = Cell("qa", "t5", "lora")
    for change in changes:
        train(tiny_study(change), Run(cell, 1), Path("out"))
    study = tiny_study()
    train(study, Run(cell, 2), Path("out"))
    card = study.paths.data_card("qa")
    card.write_text(card.read_text().replace('"fingerprint": "', '"fingerprint": "other'))
    train(study, Run(cell, 1), Path("out"))
    (study.paths.model("t5") / "more.json").write_text("{}")
    seal_base(study.paths.model("t5"))
    train(study, Run(cell, 1), Path("out"))
    assert len(set(folders)) == len(folders) == len(changes) + 3


def assert_same_run(first: Path, second: Path) -> None:
    """Weights, history and all of train.json but the times: byte for byte."""
    from tunegrid.results.compare import compare

    for number, folder in enumerate((first, second)):
        shutil.copytree(folder, f"compare-{number}/runs/run")
    assert compare(Path("compare-0"), Path("compare-1")) == []
