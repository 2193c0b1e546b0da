"""What the tests share: an environment without network or home folder, and a study so small that it trains in a second."""

import gc
import json
import os
import random
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT, in_memory
from tests.support.made_once import made_once

pytest_plugins = [
    "tests.support.instructed",
    "tests.support.interrupted_runs",
    "tests.support.made_up_study",
    "tests.support.preferring",
    "tests.support.random_models",
    "tests.support.trained_study",
]

# Before any library reads them: nothing of a test comes from, or goes to, the Hub or the cache of whoever runs it.
os.environ |= {
    "HF_HOME": tempfile.mkdtemp(prefix="tunegrid-tests-"),
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    # libgomp's threads are not there in a fork of a process that has used several, and what asks for them waits forever.
    # Some tests measure with several, others run commands in forks.
    "OMP_THREAD_LIMIT": "1",
}

# Files whose tests take longest, the longest first: slow ones, then those of `make test`.
LONGEST = (
    "deaths/test_deaths.py",
    "workflow/test_recovery.py",
    "slurm/test_cluster.py",
    "models/test_packaged.py",
    "workflow/test_tiny_study.py",
    "tuners/test_tuners.py",
    "mutations/test_mutations.py",
    "deploy/test_export_methods.py",
    "training/test_resume.py",
    "training/test_stopping.py",
    "deploy/test_card_answers.py",
    "models/test_true_configurations.py",
    "workflow/test_kinds_of_tasks.py",
    "workflow/test_tasks_of_files.py",
    "workflow/test_instructions.py",
    "workflow/test_search.py",
    "stages/test_probes.py",
    "models/test_mutated_checkpoints.py",
    "data/test_same_rows.py",
    "workflow/test_gpus.py",
    "study/test_lock.py",
    "workflow/test_progress.py",
    "report/test_render.py",
    "test_doc_examples.py",
    "training/test_trainer.py",
    "deploy/test_serve.py",
    "methods/test_ppo.py",
    "results/audit/test_study.py",
    "workflow/test_dag.py",
)

TINY = """\
study: tiny
title: A tiny study
description: For tests.
seeds: [1, 2]
grid: {tasks: [qa, translation, sentiment], models: [t5, flan-t5, bart], methods: [full, lora, adapters]}
tasks:
  qa:
    kind: qa
    source: {kind: files, paths: {train: rows/qa-train.jsonl, test: rows/qa-test.jsonl}, validation_share: 0.25}
    max_source_length: 48
    long_contexts: cut
    max_target_length: 8
    generation: {max_new_tokens: 4}
  translation:
    kind: translation
    source: {kind: files, paths: {train: rows/translation-train.jsonl, test: rows/translation-test.jsonl}}
    max_source_length: 48
    max_target_length: 32
    generation: {max_new_tokens: 6}
  sentiment:
    kind: sentiment
    source: {kind: files, paths: {train: rows/sentiment-train.jsonl, test: rows/sentiment-test.jsonl}}
    max_source_length: 64
    max_target_length: 8
    generation: {max_new_tokens: 2}
models:
  t5: {family: t5, source: {kind: directory, path: checkpoints/t5}}
  flan-t5: {family: flan-t5, source: {kind: directory, path: checkpoints/flan-t5}}
  bart: {family: bart, source: {kind: directory, path: checkpoints/bart}}
methods:
  full: {kind: full}
  lora: {kind: lora, r: 2, alpha: 6, dropout: 0.1}
  adapters: {kind: adapters, reduction_factor: 4, dropout: 0.1}
training: {learning_rate: 5.0e-3, max_steps: 6, batch_size: 8, logging_steps: 2}
measure: {latency_examples: 2}
"""


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out, with `-m slow`, the files that have no slow tests: each worker would import them all."""
    if config.getoption("markexpr") == "slow" and collection_path.match("test_*.py"):
        return not may_be_slow(collection_path) or None
    return None


@cache
def may_be_slow(file: Path) -> bool:
    """Whether tests of a file may have the marker `slow`."""
    return "slow" in file.read_text(encoding="utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first, so that no worker begins one of them when the others are at their end."""
    hidden = {item.path for item in items if item.get_closest_marker("slow") and not may_be_slow(item.path)}
    if hidden:
        raise pytest.UsageError(f"`-m slow` would leave out slow tests, as these files do not have that word: {hidden}")
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


class LongLived:
    """Keeps the garbage collector from looking again and again through what imports made, which stays to the end.

    Every training asks for full collections. With torch, transformers and pandas imported, one takes as long as several
    steps of a small model, and in a fork it copies every page that it looks at, too.
    """

    def __init__(self) -> None:
        self._modules = 0  # imported when objects were last frozen

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        if len(sys.modules) > self._modules + 20:
            gc.collect()  # what is garbage now would stay for ever
            gc.freeze()
            self._modules = len(sys.modules)

    pytest_runtest_call = pytest_runtest_setup  # fixtures may have imported


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LongLived())
    # One who runs a test alone wants to see its files.
    if config.getoption("numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ and in_memory.room():
        config.pluginmanager.register(in_memory.InMemory())


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small checkpoint of each family, named by the family; not to be changed."""
    from tests.support.checkpoints import FAMILIES, make_checkpoint

    def make(folder: Path) -> None:
        for family in FAMILIES:
            make_checkpoint(folder / family, family)

    return made_once(tmp_path_factory, "checkpoints", make)


@pytest.fixture(scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory, checkpoints: Path) -> Path:
    """The tiny study with its data, models and tokens made by the real stages; copied for each test that wants it."""
    return made_once(tmp_path_factory, "tiny", lambda folder: _prepare(folder, checkpoints))


def _prepare(folder: Path, checkpoints: Path) -> None:
    from tunegrid.stages.fetch_data import fetch_data
    from tunegrid.stages.fetch_model import fetch_model
    from tunegrid.stages.tokenise import tokenise
    from tunegrid.study.load import load_study

    shutil.copytree(checkpoints, folder / "checkpoints")
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    _write_rows(folder / "rows")
    before = Path.cwd()
    os.chdir(folder)
    try:
        study = load_study("tiny.yaml")
        paths = study.paths
        for task in study.grid.tasks:
            fetch_data(task, study.task(task), paths.data(task))
        for model in study.grid.models:
            fetch_model(study, model, paths.model(model))
            for task in study.grid.tasks:
                family = study.models[model].family
                tokenise(study.task(task), family, paths.data(task), paths.model(model), paths.tokens(task, model))
    finally:
        os.chdir(before)


@pytest.fixture
def tiny(_prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of the tiny study, in a folder of its own, which is the current one: all is there but runs."""
    folder = tmp_path / "tiny"
    shutil.copytree(_prepared, folder)
    monkeypatch.chdir(folder)
    return Path("tiny.yaml")


@pytest.fixture
def tiny_study(tiny: Path):
    """Reads the tiny study with changes, given as the YAML of a file that is laid over it."""
    from tunegrid.study.load import load_study

    def load(changes: str = "{}"):
        Path("changes.yaml").write_text(changes, encoding="utf-8")
        return load_study(tiny, "changes.yaml")

    return load


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have no figures: drawing them takes most of the time of a report."""
    from tunegrid.report import figures

    monkeypatch.setattr(figures, "FIGURES", ())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A server that stands for the Hub, and this process as if it had been started with HF_ENDPOINT and HF_HOME."""
    from huggingface_hub import constants

    from tests.support.hub_server import HubServer, connect

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setenv("TUNEGRID_HUB_TRIES", "3")
    monkeypatch.setenv("TUNEGRID_HUB_WAIT", "0.01")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    with HubServer() as server:
        connect(server, monkeypatch)
        yield server


@pytest.fixture(scope="session")
def hub_environment():
    """Makes the environment of a command that fetches from a server on this machine, as if that were the Hub."""

    def make(hub, **more: str) -> dict[str, str]:
        hidden = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_TOKEN")
        inherited = {name: value for name, value in os.environ.items() if name not in hidden}
        source = str(ROOT / "src")
        own = {"HF_ENDPOINT": hub.address, "TUNEGRID_HUB_TRIES": "3", "TUNEGRID_HUB_WAIT": "0.01", "PYTHONPATH": source}
        return inherited | own | more

    return make


def _write_rows(folder: Path) -> None:
    """Rows of very different lengths, in the Hub's row formats, drawn by seed."""
    generator = random.Random(0)
    words = [
        "the",
        "old",
        "key",
        "red",
        "house",
        "small",
        "dog",
        "garden",
        "Anna",
        "Ben",
        "Paris",
        "film",
        "story",
        "great",
        "boring",
        "clever",
        "long",
        "Monday",
    ]

    def text(least: int, most: int) -> str:
        return " ".join(generator.choices(words, k=generator.randint(least, most)))

    def question(number: int) -> dict:
        context = text(4, 14)
        answer = generator.choice(context.split())
        answers = {"text": [answer], "answer_start": [context.index(answer)]}
        question = f"where is {text(1, 2)}?"
        return {
            "id": f"q{number}",
            "title": f"t{number // 4}",
            "question": question,
            "context": context,
            "answers": answers,
        }

    make = {
        "qa": question,
        "translation": lambda number: {"translation": {"en": text(2, 9), "de": text(2, 9)}},
        "sentiment": lambda number: {"text": text(2, 20), "label": number % 2},
    }
    folder.mkdir()
    for task, row in make.items():
        for split, rows in (("train", 52), ("test", 13)):
            lines = [json.dumps(row(number)) for number in range(rows)]
            (folder / f"{task}-{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
