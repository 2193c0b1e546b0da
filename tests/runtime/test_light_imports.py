"""Processes import what they use, and nothing that transformers would like to have."""

import json
import logging
import subprocess
import sys

import pyarrow
import pytest

from tunegrid.runtime.light_imports import HINTING, UNUSED, import_transformers

TRAINING = """
import json, sys
from pathlib import Path
from tunegrid.runtime.light_imports import import_transformers
import_transformers()
import adapters, peft, tunegrid.stages.train, tunegrid.training.trainer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, BartForConditionalGeneration, T5ForConditionalGeneration
from tunegrid.data.tokens import labelled, read_tokens
from tunegrid.training.batches import TokenDataset
dataset = TokenDataset(labelled(read_tokens(Path(sys.argv[1]))))
assert [row["input_ids"].tolist() for row in dataset] == [[4, 5], [7]]
imported = sorted(name for name in sys.modules if "." not in name)
import scipy.stats, sklearn.metrics, tunegrid.tasks.metrics.evaluate_metric  # they can still be imported by who needs them
print(json.dumps(imported))
"""


@pytest.fixture
def tokens(tmp_path):
    """Three rows, of which one has no labels."""
    ids = pyarrow.list_(pyarrow.int32())
    table = pyarrow.table(
        {"input_ids": pyarrow.array([[4, 5], [6], [7]], ids), "labels": pyarrow.array([[1], [], [2, 1]], ids)}
    )
    with pyarrow.ipc.new_file(tmp_path / "train.arrow", table.schema) as file:
        file.write_table(table)
    return tmp_path / "train.arrow"


@pytest.mark.slow
def test_a_training_imports_no_package_that_it_does_not_use(tokens):
    done = subprocess.run([sys.executable, "-c", TRAINING, str(tokens)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = {*json.loads(done.stdout.splitlines()[-1])}
    assert {"torch", "transformers", "adapters", "peft"} <= imported
    assert not {*UNUSED, "pandas"} & imported


def test_a_hint_at_kernels_from_the_hub_is_not_printed_and_other_warnings_of_that_module_are(caplog):
    import_transformers()
    logger = logging.getLogger(HINTING)
    logger.warning(
        "Failed to load CPU gemm_4bit_forward from kernels-community: %s. Please make sure you already `pip install "
        "kernels` and the kernels >= 0.11.1",
        ModuleNotFoundError("No module named 'kernels'"),
    )
    logger.warning("int8 is slow here")
    assert [record.getMessage() for record in caplog.records] == ["int8 is slow here"]
