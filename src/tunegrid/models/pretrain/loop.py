"""Pretraining a small encoder-decoder inside the pipeline: tokeniser, model and checkpoint in the Hub's layout."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.models.pretrain.settings import PretrainSource
from tunegrid.runtime import cpu_memory


def default_rate(family: str) -> float:
    """The peak learning rate where the study names none. T5's is relative, see `relative_rate`."""
    return 2.0e-3 if family == "bart" else 2.0e-2


def relative_rate(rms: float) -> float:
    """T5's factor on the learning rate of a tensor with this initial root mean square.

    T5 starts with tensors of very different scale (embeddings 1, queries 1/sqrt(d_model * d_head)); one rate for all
    saturates its attention. Adafactor, with which T5 was trained, scales updates in the same way.
    """
    return min(max(rms, 0.02), 1.0)


def pretrain(
    source: PretrainSource,
    family: str,
    documents: Iterator[str],
    instructions: Iterator[tuple[str, str]] | None,
    excluded: set[str],
    folder: Path,
    threads: int,
    log: Callable[[str], None],
    device: str = "cpu",
) -> dict:
    """Pretrain a model on `documents` (Flan-T5: then on `instructions`) and write its checkpoint to `folder`.

    `excluded` holds the `text_key` of every held-out text: a document or instruction that contains one is left out.
    Returns facts for the model's card. Raises TuneGridError where there is nothing to read.
    """
    import time

    import torch

    from tunegrid.models.pretrain.architectures import build_model
    from tunegrid.models.pretrain.batches import Corruption, instruction_batches, span_batches
    from tunegrid.models.pretrain.tokenizers import train_tokeniser

    cpu_memory.keep_freed()
    torch.set_num_threads(threads)
    torch.manual_seed(source.seed)
    if source.learning_rate is None:
        source = source.model_copy(update={"learning_rate": default_rate(family)})
    started = time.monotonic()
    tally = {"left_out": 0}
    texts = list(islice(allowed(documents, lambda text: (text,), excluded, tally), source.documents))
    if not texts:
        raise TuneGridError("models: there is no text to pretrain on; give the study's tasks training rows")
    follow = round(source.steps * source.instruction_share) if family == "flan-t5" and instructions is not None else 0
    pairs: list[tuple[str, str]] = []
    if follow:
        pairs = list(islice(allowed(instructions, lambda pair: pair, excluded, tally), source.documents))
    tokeniser = train_tokeniser(
        [*texts, *(text for pair in pairs for text in pair)], family, source.vocabulary, source.max_length
    )
    model = build_model(source, family, tokeniser)
    log(f"pretrain {family}: {len(texts)} documents, {len(pairs)} instructions, vocabulary of {len(tokeniser)}")

    corruption = Corruption.of(tokeniser, family, source)
    batches = span_batches(texts, tokeniser, corruption, source.batch_size, source.max_length, source.seed)
    stages = [islice(batches, source.steps - follow)]
    if follow:
        stages.append(
            islice(instruction_batches(pairs, tokeniser, source.batch_size, source.max_length, source.seed), follow)
        )
    facts = _optimise(model.to(device), (batch for stage in stages for batch in stage), source, log)
    _save(model, tokeniser, folder)
    return {
        **facts,
        "family": family,
        "documents": len(texts),
        "instructions": len(pairs),
        "left_out": tally["left_out"],
        "vocabulary": len(tokeniser),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seconds": round(time.monotonic() - started, 1),
    }


def allowed(items: Iterable, texts_of: Callable, excluded: set[str], tally: dict) -> Iterator:
    """The items none of whose texts contains a held-out text; `tally["left_out"]` counts the others."""
    from tunegrid.data.miniworld.keys import contained_keys

    for item in items:
        if excluded and any(not excluded.isdisjoint(contained_keys(text)) for text in texts_of(item)):
            tally["left_out"] += 1
        else:
            yield item


def _optimise(model, batches: Iterator[dict], source: PretrainSource, log: Callable[[str], None]) -> dict:
    """AdamW: warm-up, constant rate, linear decay. Returns steps, tokens and the mean of the last losses."""
    import time

    import torch

    optimiser = torch.optim.AdamW(_parameter_groups(model, source), betas=(0.9, 0.98), fused=True)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate_at(step, source))
    model.train()
    started, tokens, losses = time.monotonic(), 0, []
    every = max(1, source.steps // 20)
    for step, batch in enumerate(batches, start=1):
        batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        scheduler.step()
        losses.append(loss.item())
        tokens += int(batch["attention_mask"].sum() + (batch["labels"] != -100).sum())
        if step % every == 0 or step == source.steps:
            speed = step / (time.monotonic() - started)
            recent = sum(losses[-every:]) / len(losses[-every:])
            left = (source.steps - step) / speed
            log(f"step {step}/{source.steps}  loss {recent:.3f}  {speed:.1f} steps/s  {left:.0f} s left")
    last = losses[-every:]
    return {"steps": len(losses), "tokens": tokens, "final_loss": sum(last) / len(last)}


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


def _rate_at(step: int, source: PretrainSource) -> float:
    """The factor on the learning rate at a step: up in `warmup_ratio`, down in `decay_ratio` of the steps."""
    warmup = max(1.0, source.steps * source.warmup_ratio)
    decay = max(1.0, source.steps * source.decay_ratio)
    return max(0.0, min((step + 1) / warmup, 1.0, (source.steps - step) / decay))


def _save(model, tokeniser, folder: Path) -> None:
    """Write the checkpoint next to `folder` and rename it, so that an interrupted job leaves nothing half-written."""
    import shutil

    from transformers import GenerationConfig

    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    model.generation_config = GenerationConfig.from_model_config(model.config)
    model.save_pretrained(temporary, safe_serialization=True)
    tokeniser.save_pretrained(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
