"""The path of every artefact of a study: nothing else in the project builds a path under `results/`."""

from __future__ import annotations

from pathlib import Path

from tunegrid.study.cells import MIXTURES, UNTUNED, Cell, MixtureCell, Run


class Paths:
    """The artefacts of one study, under `results/<study>/`. Every name may be a Snakemake wildcard (`{seed}`)."""

    def __init__(self, study: str, results: str | Path = "results") -> None:
        self.root = Path(results) / study

    # data and models
    def data(self, task: str) -> Path:
        return self.root / "data" / task

    def split(self, task: str, split: str) -> Path:
        return self.data(task) / f"{split}.parquet"

    def overlap(self, task: str) -> Path:
        return self.data(task) / "overlap.parquet"

    def data_card(self, task: str) -> Path:
        return self.data(task) / "card.json"

    def pairs(self, task: str, name: str, model: str | None = None) -> Path:
        """`model`: of pairs that it sampled itself."""
        folder = self.root / "preferences" / task / name
        return folder / model if model else folder

    def pair_parts(self, task: str, name: str, model: str, configuration_hash: str) -> Path:
        """What was sampled of unfinished pairs."""
        return self.root / "checkpoints" / "preferences" / task / name / f"{model}-{configuration_hash[:16]}"

    def reward(self, task: str, model: str, name: str) -> Path:
        return self.root / "rewards" / task / model / name

    def reward_checkpoints(self, task: str, model: str, name: str, configuration_hash: str) -> Path:
        return self.root / "checkpoints" / "rewards" / task / model / f"{name}-{configuration_hash[:16]}"

    def pairs_card(self, task: str, name: str, model: str | None = None) -> Path:
        return self.pairs(task, name, model) / "card.json"

    def pair_splits(self, task: str, name: str, model: str | None = None) -> list[Path]:
        return [self.pairs(task, name, model) / f"{split}.parquet" for split in ("train", "validation", "test")]

    def domain(self, task: str, domain: str) -> Path:
        """The rows of another domain that a task is evaluated on: `test.parquet` and `card.json`."""
        return self.root / "domains" / task / domain

    def model(self, model: str) -> Path:
        return self.root / "models" / model

    def model_card(self, model: str) -> Path:
        return self.model(model) / "card.json"

    def kept_card(self, model: str) -> Path:
        """A copy of the model's card, for when `tunegrid clean` has removed the model."""
        return self.root / "cards" / f"{model}.json"

    def tokens(self, task: str, model: str) -> Path:
        return self.root / "tokens" / task / model

    def unknown_tokens(self, task: str, model: str) -> Path:
        return self.tokens(task, model) / "unknown.parquet"

    def mixture_tokens(self, model: str, method: str) -> Path:
        """What is read where a method trains one model on several tasks at once."""
        return self.root / MIXTURES / "tokens" / model / method

    def wording_tokens(self, task: str, model: str, method: str) -> Path:
        """The test rows of a task under each wording of a mixture."""
        return self.root / MIXTURES / "wordings" / task / model / method

    def training_tokens(self, cell: Cell) -> Path:
        """What the runs of a cell are trained on."""
        if isinstance(cell, MixtureCell):
            return self.mixture_tokens(cell.model, cell.method)
        return self.tokens(cell.task, cell.model)

    def training_card(self, cell: Cell) -> Path:
        """The card of the rows that the runs of a cell are trained on."""
        return self.training_tokens(cell) / "card.json" if isinstance(cell, MixtureCell) else self.data_card(cell.task)

    # results
    def run(self, run: Run) -> Path:
        return self.root / (run.path if isinstance(run.cell, MixtureCell) else f"runs/{run.path}")

    def untuned(self, task: str, model: str) -> Path:
        return self.root / UNTUNED / task / model

    def untuned_wordings(self, task: str, model: str, method: str) -> Path:
        """The answers of the untuned model to the wordings of a mixture."""
        return self.root / MIXTURES / UNTUNED / task / model / method

    @staticmethod
    def domain_results(result: Path) -> Path:
        """The results of a run, an untuned model or a baseline on other domains, a folder for each."""
        return result / "domains"

    @staticmethod
    def probe_results(result: Path) -> Path:
        """The scores of a run or an untuned model on bias probes, a folder for each set."""
        return result / "probes"

    @property
    def held_out_text(self) -> Path:
        """Text that no model was pretrained on: `text.parquet` and `card.json`."""
        return self.root / "forgetting" / "text"

    def untuned_forgetting(self, model: str) -> Path:
        """The pretraining loss of an untuned model; that of a run is in the run's own folder."""
        return self.root / "forgetting" / UNTUNED / model

    def baseline(self, task: str, name: str) -> Path:
        return self.root / "baselines" / task / name

    def search(self, cell: Cell) -> Path:
        return self.root / "search" / cell.path

    def trial(self, cell: Cell, factor: str) -> Path:
        return self.search(cell) / f"factor-{factor}.json"

    def choice(self, cell: Cell) -> Path:
        return self.search(cell) / "choice.json"

    def checkpoints(self, run: Run, configuration_hash: str) -> Path:
        """Not an output of any rule: Snakemake wipes the outputs of a job that failed, and these must outlive it."""
        return self.root / "checkpoints" / f"{run.path}-{configuration_hash[:16]}"

    def lock(self, name: str) -> Path:
        """Held by the process that writes a result; the file itself stays."""
        return self.root / "locks" / f"{name}.lock"

    # report
    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def report(self) -> Path:
        return self.root / "report"

    @property
    def examples(self) -> Path:
        return self.report / "examples"

    # bookkeeping of the workflow
    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"

    def benchmark(self, name: str) -> Path:
        return self.root / "benchmarks" / f"{name}.tsv"
