"""Pretraining a small encoder-decoder inside the pipeline: tokeniser, model and checkpoint in the Hub's layout."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from tunegrid.common.errors import TuneGridError
from tunegrid.data.miniworld.keys import contained_keys
from tunegrid.models.flops import total_parameters
from tunegrid.models.pretrain.architectures import build_model
from tunegrid.models.pretrain.batches import Corruption, instruction_batches, span_batches
from tunegrid.models.pretrain.settings import PretrainSource
from tunegrid.models.pretrain.tokenizers import train_tokeniser
from tunegrid.runtime.provenance import digest

# Steps whose losses are recorded too, so that a rerun of the first of them can be held against the record.
FIRST_LOSSES = (10, 20, 30, 40, 50)


def relative_rate(rms: float) -> float:
    """T5's factor on the learning rate of a tensor with this initial root mean square.

    T5 starts with tensors of very different scale (embeddings 1, queries 1/sqrt(d_model * d_head)); one rate for all
    saturates its attention. Adafactor, with which T5 was trained, scales updates in the same way.
    """
    return min(max(rms, 0.02), 1.0)


@dataclass(frozen=True)
class Prepared:
    """A pretraining that can start: the model with its initial weights, and the batches of its steps."""

    model: Any
    tokeniser: Any
    batches: Iterator[dict]
    source: PretrainSource
    facts: dict[str, Any]
    started: float  # by the monotonic clock


def pretrain(prepared: Prepared, folder: Path, log: Callable[[str], None], device: str | torch.device = "cpu") -> dict:
    """Pretrain a model and write its checkpoint to `folder`; return facts for the model's card."""
    size = {name: prepared.facts[name] for name in ("documents", "instructions", "vocabulary")}
    log(f"pretrain {prepared.facts['family']}: {', '.join(f'{name} {count}' for name, count in size.items())}")
    facts = optimise(prepared, prepared.source.steps, log, device)
    prepared.model.generation_config = GenerationConfig.from_model_config(prepared.model.config)
    prepared.model.save_pretrained(folder, safe_serialization=True)
    prepared.tokeniser.save_pretrained(folder)
    return {**prepared.facts, **facts, "seconds": round(time.monotonic() - prepared.started, 1)}


def prepare(
    source: PretrainSource,
    family: str,
    documents: Iterator[str],
    instructions: Callable[[bool], Iterator[tuple[str, str]]] | None,
    excluded: set[str],
) -> Prepared:
    """Reads documents and exercises, trains the tokeniser and builds the model; their order is what `source` says.

    `instructions(easy)` yields the exercises, easy ones or those of all kinds: (source, target) texts.
    `excluded` holds the `text_key` of every held-out text: a document or instruction that contains one is left out.
    Raises TuneGridError where there is nothing to read.
    """
    started = time.monotonic()
    torch.manual_seed(source.seed)
    if source.learning_rate is None:
        # T5's is relative, see `relative_rate`.
        source = source.model_copy(update={"learning_rate": 2.0e-3 if family == "bart" else 2.0e-2})
    tally = {"left_out": 0}
    texts = list(islice(allowed(documents, lambda text: (text,), excluded, tally), source.documents))
    if not texts:
        raise TuneGridError("models: there is no text to pretrain on; give the study's tasks training rows")
    if instructions is None:
        source = source.model_copy(update={"first_steps": 0, "instruction_share": 0.0})
    first = source.first_steps
    follow = round((source.steps - first) * source.instruction_share)
    text_steps, easy_steps = source.steps - first - follow, round(follow * source.easy_share)
    count = source.exercises or source.documents
    easy_pairs, pairs = (
        list(islice(allowed(instructions(simple), lambda pair: pair, excluded, tally), count)) if steps else []
        for simple, steps in ((True, first + easy_steps), (False, follow - easy_steps))
    )
    read = [*texts, *chain.from_iterable(easy_pairs), *chain.from_iterable(pairs)]
    tokeniser = train_tokeniser(read, family, source.vocabulary, source.max_length)
    model = build_model(source, family, tokeniser)
    corruption = Corruption.of(tokeniser, family, source)
    spans = span_batches(texts, tokeniser, corruption, source.batch_size, source.max_length, source.seed)
    easy, mixed = (
        instruction_batches(exercises, tokeniser, source.batch_size, source.max_length, source.seed)
        for exercises in (easy_pairs, pairs)
    )
    exercises = chain(islice(easy, easy_steps), islice(mixed, follow - easy_steps))
    batches = [islice(easy, first)]
    if source.spread:
        batches.append(_spread(spans, text_steps, exercises, follow))
    else:
        batches += [islice(spans, text_steps), exercises]
    facts = {
        "family": family,
        "documents": len(texts),
        "instructions": len(easy_pairs) + len(pairs),
        "left_out": tally["left_out"],
        "text_fingerprint": digest(read),
        "vocabulary": len(tokeniser),
        "parameters": total_parameters(model),
    }
    return Prepared(model, tokeniser, chain.from_iterable(batches), source, facts, started)


def _spread(items: Iterator, count: int, others: Iterator, other_count: int) -> Iterator:
    """`count` of the items, evenly spread among `other_count` of the others."""
    total = count + other_count
    for place in range(total):
        yield next(items if (place + 1) * count // total > place * count // total else others)


def allowed(items: Iterable, texts_of: Callable, excluded: set[str], tally: dict) -> Iterator:
    """The items none of whose texts contains a held-out text; `tally["left_out"]` counts the others."""
    for item in items:
        if excluded and any(not excluded.isdisjoint(contained_keys(text)) for text in texts_of(item)):
            tally["left_out"] += 1
        else:
            yield item


def optimise(prepared: Prepared, steps: int, log: Callable[[str], None], device: str | torch.device = "cpu") -> dict:
    """Trains the model for `steps` steps of its schedule: AdamW; warm-up, constant rate, linear decay.

    Returns steps, tokens, and `losses`: step -> mean loss of the steps since the one before in it.
    """
    model, source = prepared.model.to(device), prepared.source
    optimiser = torch.optim.AdamW(_parameter_groups(model, source), betas=(0.9, 0.98), fused=True)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, source))
    model.train()
    started, tokens = time.monotonic(), 0
    every = max(1, source.steps // 20)
    recent: list[float] = []
    losses: dict[int, float] = {}
    for step, batch in enumerate(islice(prepared.batches, steps), start=1):
        batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        scheduler.step()
        recent.append(loss.item())
        tokens += int(batch["attention_mask"].sum() + (batch["labels"] != -100).sum())
        if step in FIRST_LOSSES or step % every == 0 or step == steps:
            losses[step] = round(sum(recent) / len(recent), 4)
            recent.clear()
            speed = step / (time.monotonic() - started)
            remaining = (steps - step) / speed
            log(f"step {step}/{steps}  loss {losses[step]:.3f}  {speed:.1f} steps/s  {remaining:.0f} s left")
    return {"steps": steps, "tokens": tokens, "losses": losses}


def _parameter_groups(model, source: PretrainSource) -> list[dict]:
    """AdamW's groups. T5's tensors are grouped by their scale, which multiplies the learning rate."""
    relative = model.config.model_type == "t5"
    groups: dict[tuple[float, float], list] = {}
    for parameter in model.parameters():
        rate = relative_rate(float(parameter.detach().square().mean().sqrt())) if relative else 1.0
        decay = source.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((round(rate, 2), decay), []).append(parameter)
    return [
        {"params": parameters, "lr": source.learning_rate * rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def rate_at(step: int, source: PretrainSource) -> float:
    """The factor on the learning rate at a step: up in `warmup_ratio`, down in `decay_ratio` of the steps.

    The first `first_steps` have such a schedule of their own, with another peak.
    """
    steps, peak = source.steps - source.first_steps, 1.0
    if step < source.first_steps:
        steps, peak = source.first_steps, (source.first_learning_rate or source.learning_rate) / source.learning_rate
    else:
        step -= source.first_steps
    warmup = max(1.0, steps * source.warmup_ratio)
    decay = max(1.0, steps * source.decay_ratio)
    return peak * max(0.0, min((step + 1) / warmup, 1.0, (steps - step) / decay))
