"""Predictions of a model: free text by generation, or the label word that it finds most probable."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from tunegrid.models.answer_scores import answer_log_probabilities, token_log_probabilities
from tunegrid.models.decoding import Generation, decode
from tunegrid.models.encoder import encoding_in_parts, encoding_once
from tunegrid.models.greedy import decoding
from tunegrid.runtime import cpu_kernels, cpu_tricks

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

# Label words cost the decoder next to nothing, so that a batch gains nothing from more rows: with so many tokens, the
# keys and values of the sources take half the memory that they take with 32 sources of 512 tokens.
CPU_LABEL_TOKENS = 8192
# On a CPU a batch of a narrow model has up to so many times as many rows as asked for, while rows x tokens x width and
# rows x vocabulary are no more than these numbers: what starts its operations costs more than what they compute. At a
# width of 64, 1,000 translations took a third less time in batches of 256 than of 64.
CPU_TIMES, CPU_NUMBERS = 4, 2**20


class NonFiniteLogits(ArithmeticError):
    """A model that gives no finite number for its next token: what it answers means nothing."""

    def __init__(self, precision: str) -> None:
        super().__init__(
            f"the model's logits are not finite (NaN or infinity), so that its answers mean nothing: its weights hold "
            f"such numbers, or it overflows in {precision}"
        )


class _HighestLogit(LogitsProcessor):
    """Leaves the logits as they are, and keeps the highest: NaN if one of them is. (-inf marks a forbidden token.)"""

    def __init__(self) -> None:
        self._highest: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        highest = scores.amax()
        self._highest = highest if self._highest is None else torch.maximum(self._highest, highest)
        return scores

    @property
    def finite(self) -> bool:
        return self._highest is None or bool(self._highest.isfinite())


class FiniteLogits(LogitsProcessor):
    """Ends a generation that draws its tokens where the logits are no numbers: torch can draw none of such.

    Raises:
        NonFiniteLogits: they are not; before torch's own error, after which a GPU computes nothing more.
    """

    def __init__(self, precision: str) -> None:
        self._precision = precision

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if not scores.amax().isfinite():
            raise NonFiniteLogits(self._precision)
        return scores


@dataclass(frozen=True)
class Answer:
    """What was generated for one source.

    Attributes:
        ended: whether the model ended it; otherwise the length limit of the task's settings did.
        score: log-probability of its tokens, the end of the sequence included, where it was asked for.
        tokens: how many were generated, the end included.
    """

    text: str
    ended: bool
    score: float | None = None
    tokens: int = 0


def generate(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sources: list[list[int]],
    generation: Generation,
    *,
    batch_size: int,
    precision: str,
    scored: Collection[int] = (),
) -> list[Answer]:
    """One answer per source, in the order of the sources; those at the indices `scored` with their score.

    Raises:
        NonFiniteLogits: what the model computes is no number.
    """
    config = generation_config(model, tokenizer, generation)
    answers: list[Any] = [None] * len(sources)
    highest = _HighestLogit()
    for indices, batch in _batches(model, tokenizer, sources, batch_size):
        with torch.inference_mode(), autocast(model, precision), encoding_in_parts(model):
            # Without the last argument, the checkpoint's own settings would replace those of ours that are the default.
            output = model.generate(
                **batch,
                generation_config=config,
                use_model_defaults=False,
                logits_processor=LogitsProcessorList([highest]),
                custom_generate=decoding(model, config),
            )
            asked = [place for place, index in enumerate(indices) if index in scored]
            scores = dict(zip(asked, _scores(model, batch, output, asked, config), strict=True)) if asked else {}
        if not highest.finite:
            raise NonFiniteLogits(precision)
        # BART starts its answers with the token that ends them.
        ended = (output[:, 1:] == config.eos_token_id).any(-1).tolist()
        tokens = _until_the_end(output[:, 1:], config).sum(-1).tolist()
        texts = decode(tokenizer, output)
        for place, index in enumerate(indices):
            answers[index] = Answer(texts[place], ended[place], scores.get(place), tokens[place])
    return answers


def _scores(
    model: Any, batch: dict[str, torch.Tensor], output: torch.Tensor, places: list[int], config: GenerationConfig
) -> list[float]:
    """Log-probability of what was generated at some places of a batch, up to and with the end of the sequence.

    Computed afresh from the tokens: beam search's own scores hold the length penalty, greedy decoding has none.
    """
    output = output[places]
    targets = output[:, 1:]
    logits = model(
        input_ids=batch["input_ids"][places],
        attention_mask=batch["attention_mask"][places],
        decoder_input_ids=output[:, :-1],
    ).logits
    generated = _until_the_end(targets, config)
    if config.forced_bos_token_id is not None:
        generated[:, 0] = False  # forced, not chosen: how probable it was says nothing of the answer
    return token_log_probabilities(logits, targets).masked_fill(~generated, 0).sum(-1).tolist()


def _until_the_end(targets: torch.Tensor, config: GenerationConfig) -> torch.Tensor:
    """Which tokens were generated, the end included, [rows, tokens]: what follows the end is padding."""
    ends = (targets == config.eos_token_id).int()
    return ends.cumsum(-1) - ends == 0


def generation_config(model: Any, tokenizer: PreTrainedTokenizerBase, generation: Generation) -> GenerationConfig:
    """The task's own settings with the model's token ids: nothing of what the checkpoint ships.

    (The libraries' default of 20 tokens halves BLEU; BART's checkpoints bring four beams and no repeated trigram.)

    The decoder starts with T5's padding or BART's `</s>`. BART's targets all go on with `<s>`, in its pretraining as in
    our training; so does what it generates, whatever it was tuned by. No end is forced on an answer that is too long.
    """
    return GenerationConfig(
        # Some families start every text with a special token; it should not cost them a word.
        max_new_tokens=generation.max_new_tokens + tokenizer.num_special_tokens_to_add(),
        num_beams=generation.num_beams,
        length_penalty=generation.length_penalty,
        early_stopping=False,  # beams go on while a better answer is to be expected
        do_sample=False,
        forced_bos_token_id=first_token(tokenizer),
        decoder_start_token_id=model.config.decoder_start_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def first_token(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token that the tokenizer puts before every target: BART's `<s>`; None for T5."""
    start = tokenizer(text_target="")["input_ids"][:1]
    return start[0] if start == [tokenizer.bos_token_id] else None


def choose_labels(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sources: list[list[int]],
    labels: list[str],
    *,
    batch_size: int,
    precision: str,
    words: list[str] | None = None,
) -> tuple[list[str], pd.DataFrame]:
    """(the most probable label per source, the log-probability of each label's word: columns `score_<label>`).

    Args:
        words: the text that stands for each label; None: the labels themselves.

    Raises:
        NonFiniteLogits: what the model computes is no number.
    """
    import pandas as pd

    answers = [tokenizer(text_target=word)["input_ids"] for word in words or labels]
    scores = torch.empty(len(sources), len(labels))
    for indices, batch in _batches(model, tokenizer, sources, batch_size, CPU_LABEL_TOKENS):
        with torch.inference_mode(), autocast(model, precision), encoding_in_parts(model), encoding_once(model):
            scores[indices] = answer_log_probabilities(model, batch, answers).cpu()
    if not scores.isfinite().all():
        raise NonFiniteLogits(precision)
    predictions = [labels[best] for best in scores.argmax(-1).tolist()]
    return predictions, pd.DataFrame(scores.numpy(), columns=[f"score_{label}" for label in labels])


def _batches(
    model: Any, tokenizer: PreTrainedTokenizerBase, sources: list[list[int]], batch_size: int, cpu_tokens: float = inf
) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
    """(indices, padded batch), the longest sources first: little padding, and memory runs out at once or never.

    Args:
        cpu_tokens: a batch on the CPU has no more tokens, unless one row has.
    """
    device, (vocabulary, width) = next(model.parameters()).device, model.get_input_embeddings().weight.shape
    widens = device.type == "cpu" and cpu_tricks.are_on() and width < cpu_kernels.NARROWEST
    order = sorted(range(len(sources)), key=lambda index: (-len(sources[index]), index))
    start = 0
    while start < len(order):
        longest = max(1, len(sources[order[start]]))
        fitting = cpu_tokens / longest if device.type == "cpu" else inf
        most = min(CPU_TIMES * batch_size, CPU_NUMBERS // max(longest * width, vocabulary)) if widens else 0
        rows = int(max(1, min(max(batch_size, most), fitting)))
        indices = order[start : start + rows]
        start += rows
        batch = tokenizer.pad({"input_ids": [sources[index] for index in indices]}, return_tensors="pt")
        yield indices, {name: batch[name].to(device) for name in ("input_ids", "attention_mask")}


def autocast(model: Any, precision: str) -> torch.autocast:
    """The context in which a model computes in a precision on its own device."""
    device = next(model.parameters()).device.type
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")
