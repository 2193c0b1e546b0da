"""Files of token ids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import whole

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from transformers import PreTrainedTokenizerBase


def load_tokenizer(model: Path, name: str = "") -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint in the Hub's layout; it returns what every encoder-decoder takes, and no more.

    Those of no particular class return token types too, which `generate` refuses.

    Args:
        name: what messages call the checkpoint; default: its folder.

    Raises:
        TuneGridError: there is no such folder, or no tokenizer in it that can be loaded.
    """
    from transformers import AutoTokenizer

    if not model.is_dir():  # else it would be taken for the id of a model of the Hub
        raise TuneGridError(f"{name or model}: no such folder. Run the job that writes it first.")
    try:
        return AutoTokenizer.from_pretrained(
            model, local_files_only=True, trust_remote_code=False, model_input_names=["input_ids", "attention_mask"]
        )
    except Exception as error:  # the libraries raise many kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise TuneGridError(f"{name or model}: the tokenizer cannot be loaded: {reason}") from error


def read_tokens(path: Path) -> Any:
    """The token ids of one split: a memory-mapped `pyarrow.Table`."""
    import pyarrow

    with whole(path):
        return pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()


def labelled(tokens: Any) -> Any:
    """The entries of a table of token ids that have labels, so that they have a loss."""
    import pyarrow.compute

    # Comparing with a Python number would import pandas.
    mask = pyarrow.compute.list_value_length(tokens.column("labels")).cast(pyarrow.bool_())
    return tokens if pyarrow.compute.all(mask).as_py() else tokens.filter(mask)


def take_rows(tokens: pyarrow.Table, chosen: np.ndarray) -> pyarrow.Table:
    """Selects some rows of a split's token ids, in order, and numbers them as if the split had no others.

    A row that is tokenised to several windows keeps all of them: `row` says whose they are.

    Args:
        chosen: indices of the rows, sorted.
    """
    import numpy as np
    import pyarrow

    numbers = tokens["row"].to_numpy()
    kept = np.flatnonzero(np.isin(numbers, chosen))
    taken = tokens.take(pyarrow.array(kept))
    renumbered = pyarrow.array(np.searchsorted(chosen, numbers[kept]), tokens.schema.field("row").type)
    return taken.set_column(tokens.column_names.index("row"), "row", renumbered)
