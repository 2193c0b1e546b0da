"""The trial of one tuner in one small model: put in, trained, compared with itself in all the ways it is used."""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.checkpoints import make_like
from tests.support.methods_on_checkpoints import batch_of, shape_of
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import Method
from tunegrid.methods.inserted import inserted
from tunegrid.methods.tuners import Verdict
from tunegrid.models.decoding import Generation
from tunegrid.models.flops import trainable_parameters
from tunegrid.models.shape import known_config

# Heads times d_kv is not d_model, as in Flan-T5-small; other numbers of layers in encoder and decoder.
T5 = {"d_model": 32, "d_ff": 48, "num_heads": 2, "d_kv": 16, "num_layers": 3, "num_decoder_layers": 2}
BART = {"d_model": 32, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
            "encoder_layers": 3, "decoder_layers": 2, "max_position_embeddings": 128, "init_std": 0.3}  # fmt: skip
MODELS = {
    "t5": ("google-t5/t5-small", T5),
    "flan-t5": ("google/flan-t5-small", T5 | {"d_kv": 12}),
    "bart": ("facebook/bart-base", BART),
}
TEXTS = ["the old key is in the garden", "a dog", "Anna found the old key in the garden on Monday, and a red house"]
STEPS = 3
TOLERANCE = 1e-4  # of the largest logit


def make_models(folder: Path) -> None:
    """Writes a small model of each family."""
    for family, (name, smaller) in MODELS.items():
        make_like(folder / family, known_config(name), **smaller)


def judge(method: Method, models: Path, merge: Callable[[Any], Any] | None = None) -> Verdict:
    """What is found with a method in the small model of its family. The library's own output is dropped.

    Args:
        merge: makes a plain model of the tuned one; by default the library's own way.
    """
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return _judge(method, models, merge or getattr(type(method), "merge_library", None))


def way_of_counting(methods: list[Method], models: Path) -> str | None:
    """The cheapest way of counting that gives the numbers of the real models for all of the methods; None: there is none."""
    if not methods:
        return None
    return next((way for way in ("meta", "layers") if all(_counts(way, method, models) for method in methods)), None)


def _counts(way: str, method: Method, models: Path) -> bool:
    model = method.load_base(models / method.family.name)
    shape, before = shape_of(method, model), sum(parameter.numel() for parameter in model.parameters())
    tuned = method.inject(model)
    after = sum(parameter.numel() for parameter in tuned.parameters())
    try:
        planned = inserted(method, shape, way)
    except TuneGridError:
        return False
    return planned == (trainable_parameters(tuned), after - before, method.counted(tuned))


def _judge(method: Method, models: Path, merge: Any) -> Verdict:
    import torch

    base, batch, step = models / method.family.name, batch_of(models, method.family.name), "inject"
    try:
        torch.manual_seed(1)
        model = method.inject(method.load_base(base))
        count, expected = len(method.injected_modules(model)), method.expected_modules(shape_of(method, model))
        if count != expected:
            raise ValueError(f"put into {count} modules of {expected}")
        step = "train"
        _train(model, batch)
        if (_logits(model, batch) == _logits(method.load_base(base), batch)).all():
            raise ValueError("what was trained has no effect")
        step = "agree"
        for beams, cached in ((1, True), (1, False), (3, True)):
            if (gap := _disagreement(model, base, beams, cached)) > TOLERANCE:
                raise ValueError(f"logits differ by {gap:.1g} of the largest, {'cached' if cached else 'uncached'}")
        step = "reload"
        trained = _logits(model, batch)
        with tempfile.TemporaryDirectory() as folder:
            method.save(model, Path(folder))
            names = {file.suffix for file in Path(folder).iterdir()}
            if not names <= {".safetensors", ".json", ".md"}:
                raise ValueError(f"saved as {', '.join(sorted(names))}")
            torch.manual_seed(2)  # a fresh process has other random numbers
            _compare(_logits(method.load(base, Path(folder)), batch), trained)
    except Exception as error:
        return Verdict(failed=step, reason=_text(error))
    return Verdict(unmerged=_unmerged(method, merge, model, batch, trained))


def _unmerged(method: Method, merge: Any, model: Any, batch: Any, trained: Any) -> str | None:
    if method.added_tokens:
        return "vectors in front of the sources are no weights of a layer"
    try:
        merged = merge(model)
        if type(merged).__name__ not in ("T5ForConditionalGeneration", "BartForConditionalGeneration"):
            raise ValueError("its modules stay in the model")
        _compare(_logits(merged, batch), trained)
    except Exception as error:
        return _text(error)
    return None


def _train(model: Any, batch: Any) -> None:
    import torch

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for parameter in trained]
    optimiser = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.0)
    start = _logits(model, batch)
    model.train()
    for _ in range(STEPS):
        loss = model(**batch).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    if not any((old != new).any() for old, new in zip(before, trained, strict=True)):
        raise ValueError("no parameter has changed")
    if not (after := _logits(model, batch)).isfinite().all() or (after == start).all():
        raise ValueError("the logits have not changed")


def _disagreement(model: Any, base: Path, beams: int, cached: bool) -> float:
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.agreement import disagreement

    tokenizer = load_tokenizer(base)
    sources = [tokenizer(text)["input_ids"] for text in TEXTS]
    return disagreement(model.eval(), tokenizer, sources, Generation(max_new_tokens=8, num_beams=beams), cached=cached)


def _logits(model: Any, batch: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model.eval()(**batch).logits.clone()


def _compare(logits: Any, others: Any) -> None:
    gap = float((logits - others).abs().max() / others.abs().max())
    if not gap <= TOLERANCE:
        raise ValueError(f"logits differ by {gap:.1g} of the largest")


def _text(error: Exception) -> str:
    """The first sentence of an error, without what differs from process to process."""
    text = re.sub(r"(\w+Config)\([^)]*\)", r"\1", " ".join(str(error).split())) or type(error).__name__
    return text.split(". ")[0].rstrip(".")[:200]
