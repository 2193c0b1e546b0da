"""Makes checkpoints with random weights and the true configurations of models of the Hub, in the Hub's layout.

Usage: python tests/support/true_configurations.py FOLDER [HUB_ID ...]

Each becomes FOLDER/<name>: the config.json that `resources/architectures/` knows, safetensors with the tensor names of the
Hub's file, and a fast tokenizer of the model's own class. Its vocabulary is trained on generated text and small; the
embeddings keep their true number of rows. Default: the three models of the paper (1.8 GB).
"""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

PAPER = ("google-t5/t5-base", "facebook/bart-base", "google/flan-t5-small")
ENTRIES = 4000  # of a trained vocabulary, at most


def make(hub_id: str, folder: Path) -> Path:
    """Writes the checkpoint of one model into a folder; the same bits each time."""
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    from tunegrid.models.shape import known_config

    config = known_config(hub_id)
    if config is None:
        raise SystemExit(f"{hub_id}: not in resources/architectures/")
    torch.manual_seed(0)
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(**config))
    # The Hub's BART checkpoints hold the model without its head: their tensors have no `model.` before their names.
    whole = config["architectures"] != ["BartModel"]
    (model if whole else model.model).save_pretrained(folder, safe_serialization=True)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer(config["model_type"]).save_pretrained(folder)
    return folder


def tokenizer(model_type: str) -> Any:
    """T5's: unigram pieces and 100 sentinels, `</s>` at the end; BART's: byte-level pieces between `<s>` and `</s>`."""
    from transformers import BartTokenizerFast, T5TokenizerFast

    from tunegrid.data import miniworld

    texts = list(islice(miniworld.documents(seed=1), 5000))
    if model_type == "bart":
        return BartTokenizerFast(tokenizer_object=_byte_level(texts), model_max_length=1024)
    return T5TokenizerFast(tokenizer_object=_unigram(texts), extra_ids=100, model_max_length=512)


def _unigram(texts: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]  # T5's ids: 0, 1, 2
    trainer = trainers.UnigramTrainer(
        vocab_size=ENTRIES, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    trained.train_from_iterator(texts, trainer)
    trained.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return trained


def _byte_level(texts: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]  # BART's ids: 0, 1, 2, 3; its mask is the last
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=ENTRIES, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    trained.train_from_iterator(texts, trainer)
    trained.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return trained


def main(folder: str, *hub_ids: str) -> None:
    for hub_id in hub_ids or PAPER:
        path = make(hub_id, Path(folder) / hub_id.split("/")[1])
        print(f"{path}: {sum(file.stat().st_size for file in path.iterdir()) / 1e6:.0f} MB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
