"""Tokenizers of single letters: how many tokens a text takes, and what it loses, can be counted by hand."""

from typing import Any

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?!"


def letter_tokenizer(letters: str = LETTERS, pieces: tuple[str, ...] = ()) -> Any:
    """A tokenizer like T5's with a token for each letter, for each of `pieces` and for a blank; one ends the text.

    A text begins with a blank. All other characters are the unknown token, which decoding leaves out.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "</s>", "<unk>"]
    scores = [(name, 0.0) for name in names] + [("▁", -2.0)] + [(letter, -2.0) for letter in letters]
    tokenizer = Tokenizer(models.Unigram([*scores, *((piece, -1.0) for piece in pieces)], unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )
