"""Files of token ids, and the tokenizers that make them."""

import re
import shutil

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.data.tokens import load_tokenizer


@pytest.mark.parametrize("name", ["results/study/models/t5", "t5", "a/b"])
def test_a_folder_that_no_job_has_written_yet_is_no_model_of_the_hub(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TuneGridError, match=rf"^{name}: no such folder\. Run the job that writes it first\.$"):
        load_tokenizer(tmp_path.joinpath(name).relative_to(tmp_path))


def test_a_tokenizer_that_is_damaged_is_a_message(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints / "t5", tmp_path / "t5")
    for content in ('{"version": "1.0"}', "", "[]", "{"):
        (folder / "tokenizer.json").write_text(content)
        with pytest.raises(TuneGridError, match=f"^{re.escape(str(folder))}: the tokenizer cannot be loaded: ."):
            load_tokenizer(folder)
    with pytest.raises(TuneGridError, match=r"^models\.t5: the tokenizer cannot be loaded: ."):
        load_tokenizer(folder, "models.t5")
