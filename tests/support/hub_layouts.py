"""The three data sets of the paper as the Hub has them, file for file, with few rows."""

import io
from collections.abc import Iterable
from typing import Any

SQUAD, WMT, IMDB = "rajpurkar/squad", "wmt/wmt16", "stanfordnlp/imdb"
PAIRS = ("cs-en", "de-en", "fi-en", "ro-en", "ru-en", "tr-en")

SQUAD_CARD = """\
---
language: [en]
license: cc-by-sa-4.0
pretty_name: SQuAD
dataset_info:
  config_name: plain_text
  features:
  - name: id
    dtype: string
  - name: title
    dtype: string
  - name: context
    dtype: string
  - name: question
    dtype: string
  - name: answers
    sequence:
    - name: text
      dtype: string
    - name: answer_start
      dtype: int32
  splits:
  - name: train
    num_bytes: 79346108
    num_examples: 87599
  - name: validation
    num_bytes: 10472984
    num_examples: 10570
  download_size: 16278203
  dataset_size: 89819092
configs:
- config_name: plain_text
  data_files:
  - split: train
    path: plain_text/train-*
  - split: validation
    path: plain_text/validation-*
  default: true
---
# Dataset Card for SQuAD
"""

IMDB_CARD = """\
---
pretty_name: IMDB
dataset_info:
  config_name: plain_text
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': neg
          '1': pos
  splits:
  - name: train
    num_bytes: 33432823
    num_examples: 25000
  - name: test
    num_bytes: 32650685
    num_examples: 25000
  - name: unsupervised
    num_bytes: 67106794
    num_examples: 50000
  download_size: 83446840
  dataset_size: 133190302
configs:
- config_name: plain_text
  data_files:
  - split: train
    path: plain_text/train-*
  - split: test
    path: plain_text/test-*
  - split: unsupervised
    path: plain_text/unsupervised-*
  default: true
---
# Dataset Card for "imdb"
"""


def squad(articles: int = 6) -> dict[str, bytes]:
    def rows(split: str) -> Iterable[dict]:
        for number in range(articles * 3):
            context = f"The key of house {number} is under stone {number + 1}."
            answer = f"under stone {number + 1}"
            yield {
                "id": f"{split}-{number}",
                "title": f"{split} article {number // 3}",
                "context": context,
                "question": f"Where is the key of house {number}?",
                "answers": {"text": [answer], "answer_start": [context.index(answer)]},
            }

    from datasets import Value

    text = Value("string")
    features = dict.fromkeys(("id", "title", "context", "question"), text)
    features["answers"] = {"text": [text], "answer_start": [Value("int32")]}
    files = {
        f"plain_text/{split}-00000-of-00001.parquet": parquet(rows(split), features)
        for split in ("train", "validation")
    }
    return {"README.md": SQUAD_CARD.encode(), ".gitattributes": b"*.parquet lfs", **files}


def wmt16(rows: int = 12) -> dict[str, bytes]:
    """Six language pairs; the training rows of de-en are in three files, those of the others in one."""
    from datasets import Translation

    configs, infos, files = [], [], {}
    for pair in PAIRS:
        languages = pair.split("-")
        parts = 3 if pair == "de-en" else 1
        for split, count in (("train", parts), ("validation", 1), ("test", 1)):
            for part in range(count):
                made = (
                    {"translation": {code: f"{code} {split} {part * rows + number}" for code in languages}}
                    for number in range(rows)
                )
                name = f"{pair}/{split}-{part:05}-of-{count:05}.parquet"
                files[name] = parquet(made, {"translation": Translation(languages=languages)})
        configs += [f"- config_name: {pair}", "  data_files:"]
        configs += [
            line
            for split in ("train", "validation", "test")
            for line in (f"  - split: {split}", f"    path: {pair}/{split}-*")
        ]
        infos += [f"- config_name: {pair}", "  features:", "  - name: translation", "    dtype:", "      translation:",
                  "        languages:", *(f"        - {code}" for code in languages)]  # fmt: skip
    card = "\n".join(["---", "pretty_name: WMT16", "dataset_info:", *infos, "configs:", *configs, "---", "# WMT16", ""])
    return {"README.md": card.encode(), "wmt16.py": b"raise SystemExit('a script was run')", **files}


def imdb(rows: int = 10) -> dict[str, bytes]:
    """Sorted by label, as the real one; `unsupervised` has the label -1."""
    from datasets import ClassLabel, Value

    features = {"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])}
    files = {}
    for split in ("train", "test", "unsupervised"):
        labels = [-1 if split == "unsupervised" else int(number >= rows // 2) for number in range(rows)]
        made = ({"text": f"Review {n} of {split}.<br /><br />Fine.", "label": label} for n, label in enumerate(labels))
        files[f"plain_text/{split}-00000-of-00001.parquet"] = parquet(made, features)
    return {"README.md": IMDB_CARD.encode(), **files}


def parquet(rows: Iterable[dict], features: dict[str, Any]) -> bytes:
    """As `datasets` writes it, with the features in the file's own metadata."""
    from datasets import Dataset, Features

    file = io.BytesIO()
    Dataset.from_list(list(rows), features=Features(features)).to_parquet(file)
    return file.getvalue()
