"""Very small, randomly initialised checkpoints of the three families in the Hub's layout, with trained tokenizers."""

import json
from pathlib import Path
from typing import Any

FAMILIES = ("t5", "flan-t5", "bart")
# Not the same in encoder and decoder, so that a count that mixes them up is wrong.
ENCODER_LAYERS, DECODER_LAYERS = 3, 2
WIDTH, INNER_WIDTH, HEADS = 16, 24, 2
DROPOUT = 0.1
UNIGRAMS = Path(__file__).with_name("unigrams.tsv")  # pieces of TEXTS and their log-probabilities

TEXTS = [
    "question: who found the old key in the garden? context: Anna found the old key in the garden on Monday.",
    "translate English to German: the small dog sees a red house. der kleine Hund sieht ein rotes Haus.",
    "sst2 sentence: a wonderful film with a clever story and great actors, positive",
    "a terrible film, boring and far too long, negative. What is the sentiment of this review? OPTIONS: - negative",
    "Article: Ben lives in Paris. Question: where does Ben live? Translate to German: Ben lives in Paris.",
] * 4


# Inner width of a T5 with more than 24 MiB of weights.
LARGE = 40_000


def make_checkpoint(folder: Path, family: str, inner: int = INNER_WIDTH) -> Path:
    """Writes config, safetensors weights and a fast tokenizer into a folder."""
    import torch

    torch.manual_seed(FAMILIES.index(family))
    tokenizer = bart_tokenizer() if family == "bart" else t5_tokenizer()
    model = bart_model(tokenizer) if family == "bart" else t5_model(tokenizer, family, inner)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


def make_like(folder: Path, config: dict[str, Any], **smaller: Any) -> Path:
    """Writes a checkpoint with the configuration of a known model, but for the sizes that are given."""
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    torch.manual_seed(0)
    tokenizer = bart_tokenizer() if config["model_type"] == "bart" else t5_tokenizer()
    config = AutoConfig.for_model(**{**config, "vocab_size": len(tokenizer) + 8, **smaller})
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


def without_dropout() -> dict:
    """Removes dropout from the models of the tiny study in the current folder; returns the methods' settings without it."""
    from tests.support.seals import seal_base

    for file in Path("results/tiny/models").glob("*/config.json"):
        config = json.loads(file.read_text())
        file.write_text(json.dumps(config | {"dropout_rate": 0.0, "dropout": 0.0}))
        seal_base(file.parent)
    return {"lora": {"dropout": 0.0}, "adapters": {"dropout": 0.0}}


def t5_tokenizer() -> Any:
    """Unigram pieces of words, as T5's: a character that was never seen becomes <unk>."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "</s>", "<unk>"]
    # As `trainers.UnigramTrainer` made them of TEXTS, once: it makes others in each process, and with them every tiny study
    # would be another one.
    lines = (line.split("\t") for line in UNIGRAMS.read_text(encoding="utf-8").splitlines())
    pieces = [(name, 0.0) for name in special] + [(piece, float(score)) for piece, score in lines]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=special.index("<unk>")))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.Replace("\n", " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=512,
        model_input_names=["input_ids", "attention_mask"],
    )


def bart_tokenizer() -> Any:
    """Byte-level pieces between <s> and </s>, as BART's: nothing is unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        mask_token="<mask>", cls_token="<s>", sep_token="</s>", model_max_length=256,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def t5_model(tokenizer: Any, family: str, inner: int) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    flan = family == "flan-t5"
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(tokenizer), d_model=WIDTH, d_kv=WIDTH // HEADS, d_ff=inner, num_heads=HEADS,
            num_layers=ENCODER_LAYERS, num_decoder_layers=DECODER_LAYERS, dropout_rate=DROPOUT,
            feed_forward_proj="gated-gelu" if flan else "relu", tie_word_embeddings=not flan,
            pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
        )
    )  # fmt: skip


def bart_model(tokenizer: Any) -> Any:
    from transformers import BartConfig, BartForConditionalGeneration

    return BartForConditionalGeneration(
        BartConfig(
            vocab_size=len(tokenizer), d_model=WIDTH, encoder_ffn_dim=INNER_WIDTH, decoder_ffn_dim=INNER_WIDTH,
            encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_layers=ENCODER_LAYERS,
            decoder_layers=DECODER_LAYERS, max_position_embeddings=256, dropout=DROPOUT, init_std=0.3,
            bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2,
        )
    )  # fmt: skip
