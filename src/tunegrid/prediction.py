"""Predictions of a model: free text by generation, or the label word that it finds most probable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig

from tunegrid.tasks.base import Generation, Task

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow
    from transformers import PreTrainedTokenizerBase


def predict(
    model: Any, tokenizer: PreTrainedTokenizerBase, task: Task, tokens: pyarrow.Table, rows: int, *, precision: str
) -> tuple[list[str], pd.DataFrame | None]:
    """(one prediction per row, the log-probability of each label if the model chooses among labels).

    Args:
        tokens: the token ids of so many rows of one split, in their order.
    """
    sources = tokens.column("input_ids").to_pylist()
    if len(sources) != rows:
        raise ValueError(f"{len(sources)} tokenised rows, but {rows} rows: tokenise again")
    options = {"batch_size": task.settings.evaluation_batch_size, "precision": precision}
    if (labels := task.labels()) is None:
        return generate(model, tokenizer, sources, task.settings.generation, **options), None
    return choose_labels(model, tokenizer, sources, labels, words=[task.word(label) for label in labels], **options)


def generate(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sources: list[list[int]],
    generation: Generation,
    *,
    batch_size: int,
    precision: str,
) -> list[str]:
    """One text per source, in the order of the sources."""
    config = generation_config(model, tokenizer, generation)
    predictions = [""] * len(sources)
    for indices, batch in _batches(model, tokenizer, sources, batch_size):
        with torch.inference_mode(), _autocast(model, precision):
            # Without the last argument, the checkpoint's own settings would replace those of ours that are the default.
            output = model.generate(**batch, generation_config=config, use_model_defaults=False)
        for index, text in zip(indices, tokenizer.batch_decode(output, skip_special_tokens=True), strict=True):
            predictions[index] = text.strip()
    return predictions


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
        words: what the model writes for each label; none: the labels themselves.
    """
    import pandas as pd

    targets = [tokenizer(text_target=word, return_tensors="pt")["input_ids"] for word in words or labels]
    scores = torch.empty(len(sources), len(labels))
    for indices, batch in _batches(model, tokenizer, sources, batch_size):
        with torch.inference_mode(), _autocast(model, precision):
            encoded = model.get_encoder()(**batch)
            for column, target in enumerate(targets):
                target = target.to(batch["input_ids"].device).repeat(len(indices), 1)
                # A copy each time: some models write into the encoder's output that they are given.
                output = model(
                    encoder_outputs=type(encoded)(last_hidden_state=encoded.last_hidden_state.clone()),
                    attention_mask=batch["attention_mask"],
                    labels=target,
                )
                logarithms = output.logits.float().log_softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
                scores[indices, column] = logarithms.sum(-1).cpu()
    predictions = [labels[best] for best in scores.argmax(-1).tolist()]
    return predictions, pd.DataFrame(scores.numpy(), columns=[f"score_{label}" for label in labels])


def _batches(
    model: Any, tokenizer: PreTrainedTokenizerBase, sources: list[list[int]], batch_size: int
) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
    """(indices, padded batch), the longest sources first: little padding, and memory runs out at once or never."""
    order = sorted(range(len(sources)), key=lambda index: (-len(sources[index]), index))
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = tokenizer.pad({"input_ids": [sources[index] for index in indices]}, return_tensors="pt")
        device = next(model.parameters()).device
        yield indices, {name: batch[name].to(device) for name in ("input_ids", "attention_mask")}


def _autocast(model: Any, precision: str) -> torch.autocast:
    device = next(model.parameters()).device.type
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")
