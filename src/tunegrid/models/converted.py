"""Models that CTranslate2 computes: conversion of a plain model, and its predictions as `generate` makes them.

CTranslate2 is an extra (`make setup EXTRAS=serve`). It knows tokens by their names, so a vocabulary is written that
names every row of the embedding, also those that the tokenizer has no token for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tunegrid.common.errors import TuneGridError
from tunegrid.models.decoding import Generation, decode
from tunegrid.models.generate import Answer, NonFiniteLogits, first_token
from tunegrid.runtime import cpu_memory, cpu_tricks

if TYPE_CHECKING:
    import pandas as pd
    from transformers import GenerationConfig, PreTrainedTokenizerBase

ComputeType = Literal["float32", "int8", "bfloat16", "float16"]
# Keys that the converter of BART asks of the configuration; the values are what transformers computes.
BART_KEYS = {"normalize_before": False, "normalize_embedding": True}
# Beams go on until so many times their number of answers have ended. transformers goes on while a better one is to be
# expected: with 1, the library's default, 3 to 36 of 100 answers of the packaged models were less probable than those
# of transformers, with 3 none or one; more gained nothing.
PATIENCE = 3
SCORED_AT_ONCE = 4  # labels are scored in batches of so many times the rows of a batch: their words are short
# On a CPU the batches that are computed at once have up to so many times as many rows (of all beams) as asked for,
# while each has no more tokens than this: products of more rows are faster, and a row that has ended leaves its batch.
CPU_TIMES, CPU_TOKENS = 6, 12288


def convert(model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path, compute: ComputeType = "float32") -> None:
    """Writes a plain model of transformers as one of CTranslate2 into an empty folder.

    Args:
        model: on the CPU, without the modules of a method.
        compute: type of the saved weights.

    Raises:
        TuneGridError: CTranslate2 cannot convert the model.
    """
    from ctranslate2.converters import TransformersConverter

    if model.config.model_type == "bart":
        for key, value in BART_KEYS.items():
            setattr(model.config, key, value)

    class InMemory(TransformersConverter):
        """Converts the model at hand instead of loading one from a folder."""

        def load_model(self, *_: Any, **__: Any) -> Any:
            return model

        def load_tokenizer(self, *_: Any, **__: Any) -> Any:
            return _NamedRows.of(tokenizer, model.get_input_embeddings().weight.shape[0])

    model.config.save_pretrained(folder)  # from which the converter takes the architecture; it is overwritten
    try:
        InMemory(str(folder)).convert(str(folder), quantization=compute, force=True)
    except (ValueError, AttributeError, KeyError, NotImplementedError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise TuneGridError(f"CTranslate2 cannot convert this {model.config.model_type} model ({reason}).") from error


@dataclass(frozen=True)
class _NamedRows:
    """What a converter asks of a tokenizer, with a token for every row of the embedding."""

    names: list[str]
    bos_token: str | None
    eos_token: str | None
    unk_token: str | None
    pad_token: str | None

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, rows: int) -> _NamedRows:
        tokens = tokenizer.get_vocab()
        names: list[str | None] = [None] * rows
        for token, index in tokens.items():
            if index < rows:
                names[index] = token
        for index, name in enumerate(names):
            if name is None:
                name = f"<row {index}>"
                while name in tokens:
                    name += ">"
                names[index] = name
        specials = {key: getattr(tokenizer, key) for key in ("bos_token", "eos_token", "unk_token", "pad_token")}
        # Of a tokenizer that knows every text; the library wants a name that the vocabulary has, and never uses it.
        specials["unk_token"] = specials["unk_token"] or specials["pad_token"]
        return cls(names, **specials)

    def get_vocab(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def convert_ids_to_tokens(self, index: int) -> str:
        return self.names[index]


def search_options(generation: Generation | GenerationConfig, longest: int) -> dict[str, Any]:
    """How CTranslate2 searches for an answer as `generate` does. `longest`: its tokens, special ones counted."""
    return {
        "beam_size": generation.num_beams,
        "patience": PATIENCE if generation.num_beams > 1 else 1,
        "length_penalty": generation.length_penalty,
        "max_decoding_length": longest,
        "min_decoding_length": 0,  # an empty answer is one too
        "max_input_length": 0,  # nothing is cut
        "return_end_token": True,
    }


class Converted:
    """A model that CTranslate2 has loaded.

    All threads compute one batch, which is the fastest for who waits for it, until `answer_many` is called.
    """

    def __init__(
        self, folder: Path, *, device: str = "cpu", threads: int = 1, compute: ComputeType = "float32"
    ) -> None:
        """Loads what `convert` wrote.

        Args:
            folder: has to stay there until `answer_many` was called for the last time.

        Raises:
            TuneGridError: the folder is no model of CTranslate2, or the device cannot compute in this type.
        """
        import ctranslate2

        known = ctranslate2.get_supported_compute_types(device)
        if compute not in known:
            raise TuneGridError(f"CTranslate2 cannot compute in {compute} here. It can in: {', '.join(sorted(known))}.")
        self.precision, self._widens = compute, device == "cpu" and cpu_tricks.are_on()
        if self._widens:
            cpu_memory.share_one_arena()
        self._load = partial(ctranslate2.Translator, str(folder), device=device, compute_type=compute)
        self._threads, self._at_once = threads, 1
        try:
            self._model = self._load(inter_threads=1, intra_threads=threads)
            self._names = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
        except (RuntimeError, ValueError, OSError) as error:
            raise TuneGridError(f"{folder}: cannot be loaded as a model of CTranslate2 ({error}).") from error
        self._ids = {name: index for index, name in enumerate(self._names)}

    def answer_many(self, many: bool = True) -> None:
        """Whether from here on as many batches as there are threads are computed at once, each by one thread.

        That takes less time for many rows, and longer for one. A change loads the model again.
        """
        at_once = self._threads if many and self._widens else 1
        if at_once != self._at_once:
            self._model, self._at_once = None, at_once  # not two at a time in memory
            self._model = self._load(inter_threads=at_once, intra_threads=self._threads // at_once)

    def generate(
        self,
        tokenizer: PreTrainedTokenizerBase,
        sources: list[list[int]],
        generation: Generation,
        *,
        batch_size: int,
        scored: Collection[int] = (),
    ) -> list[Answer]:
        """One answer per source, as `generate.generate` returns them.

        Raises:
            NonFiniteLogits: what the model computes is no number.
        """
        first = first_token(tokenizer)
        prefix = [] if first is None else [self._names[first]]
        options = search_options(generation, generation.max_new_tokens + tokenizer.num_special_tokens_to_add())
        given = self._tokens(sources)
        options |= {"return_scores": True, "asynchronous": True}
        written: list[list[str]] = [[]] * len(given)
        batches = list(self._batches(given, batch_size, generation.num_beams))
        begun = [
            self._model.translate_batch(
                [given[index] for index in indices], [prefix] * len(indices) if prefix else None, **options
            )
            for indices in batches
        ]
        for indices, batch in zip(batches, begun, strict=True):
            results = [answer.result() for answer in batch]
            if not all(isfinite(result.scores[0]) for result in results):
                raise NonFiniteLogits(self.precision)
            for index, result in zip(indices, results, strict=True):
                written[index] = result.hypotheses[0]
        ended = [tokens[-1:] == [tokenizer.eos_token] for tokens in written]
        asked = sorted(scored)
        pairs = [(given[index], written[index], ended[index]) for index in asked]
        scores = dict(zip(asked, self._scores(pairs, batch_size, without=len(prefix)), strict=True))
        texts = decode(tokenizer, [[self._ids[token] for token in tokens] for tokens in written])
        return [Answer(text, ended[index], scores.get(index), len(written[index])) for index, text in enumerate(texts)]

    def choose_labels(
        self,
        tokenizer: PreTrainedTokenizerBase,
        sources: list[list[int]],
        labels: list[str],
        *,
        batch_size: int,
        words: list[str] | None = None,
    ) -> tuple[list[str], pd.DataFrame]:
        """The most probable label per source and all log-probabilities, as `generate.choose_labels` returns them.

        Raises:
            NonFiniteLogits: what the model computes is no number.
        """
        import pandas as pd

        given = self._tokens(sources)
        targets = self._tokens([tokenizer(text_target=word)["input_ids"] for word in words or labels])
        pairs = [(source, target, True) for source in given for target in targets]
        flat = self._scores(pairs, SCORED_AT_ONCE * batch_size)
        scores = [flat[start : start + len(labels)] for start in range(0, len(flat), len(labels))]
        predictions = [labels[max(range(len(labels)), key=row.__getitem__)] for row in scores]
        return predictions, pd.DataFrame(scores, columns=[f"score_{label}" for label in labels], dtype="float32")

    def _batches(self, given: list[list[str]], batch_size: int, beams: int) -> Iterator[list[int]]:
        """The indices of each batch, the longest sources first; at least as many as are computed at once."""
        order, start = sorted(range(len(given)), key=lambda index: -len(given[index])), 0
        share = -(-len(given) // self._at_once)
        while start < len(order):
            tokens = beams * max(1, len(given[order[start]]))
            most = CPU_TIMES * batch_size // (beams * self._at_once)
            most = min(most, CPU_TOKENS // tokens) if self._widens else 0
            rows = min(share, max(batch_size, most))
            yield order[start : start + rows]
            start += rows

    def _scores(self, pairs: list[tuple[list[str], list[str], bool]], batch_size: int, without: int = 0) -> list[float]:
        """Log-probability of each (source, target, whether the target has its end).

        Args:
            without: tokens at the beginning of each target that do not count.
        """
        if not pairs:
            return []
        # The library adds the end to every target by itself.
        results = self._model.score_batch(
            [source for source, _, _ in pairs],
            [target[:-1] if ended else target for _, target, ended in pairs],
            max_batch_size=batch_size,
            max_input_length=0,
        )
        counts = [len(target) for _, target, _ in pairs]
        scores = [sum(result.log_probs[without:count]) for result, count in zip(results, counts, strict=True)]
        if not all(map(isfinite, scores)):
            raise NonFiniteLogits(self.precision)
        return scores

    def _tokens(self, ids: list[list[int]]) -> list[list[str]]:
        names = self._names
        return [[names[index] for index in row] for row in ids]
