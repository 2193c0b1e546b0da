"""Fixtures of the tests of tasks."""

import pytest

from tests.support.checkpoints import FAMILIES


@pytest.fixture(scope="module")
def tokenizers(checkpoints):
    from tunegrid.data.tokens import load_tokenizer

    return {family: load_tokenizer(checkpoints / family) for family in FAMILIES}
