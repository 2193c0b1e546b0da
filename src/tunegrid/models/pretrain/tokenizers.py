"""Byte-level BPE tokenisers trained on the pretraining text. Every string survives encoding and decoding."""

from collections.abc import Iterable

# T5's own order: padding is 0, the end of a sequence is 1. BART's: <s> 0, <pad> 1, </s> 2.
T5_SPECIAL = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
BART_SPECIAL = {
    "bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>",
    "cls_token": "<s>", "sep_token": "</s>",
}  # fmt: skip
SENTINELS = 32


def sentinel(number: int) -> str:
    return f"<extra_id_{number}>"


def train_tokeniser(texts: Iterable[str], family: str, vocabulary: int, max_length: int):
    """A `PreTrainedTokenizerFast` with at most `vocabulary` entries, in the style of the family.

    T5 and Flan-T5 close a sequence with </s> and have sentinels; BART encloses it in <s> … </s> and has <mask>.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bart = family == "bart"
    special = BART_SPECIAL if bart else T5_SPECIAL
    tokens = list(dict.fromkeys(special.values()))
    extra = [] if bart else [sentinel(number) for number in range(SENTINELS)]
    tokeniser = Tokenizer(models.BPE(unk_token=None))
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    # A word at the start of a text is the same token as inside it; decoding takes the added space off again.
    tokeniser.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=tokens + extra,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokeniser.train_from_iterator(texts, trainer)
    end = ("</s>", tokeniser.token_to_id("</s>"))
    if bart:
        start = ("<s>", tokeniser.token_to_id("<s>"))
        template = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[start, end]
        )
    else:
        template = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[end])
    tokeniser.post_processor = template
    return PreTrainedTokenizerFast(
        tokenizer_object=tokeniser,
        model_max_length=max_length,
        add_prefix_space=True,
        clean_up_tokenization_spaces=False,
        additional_special_tokens=extra,
        **special,
    )
