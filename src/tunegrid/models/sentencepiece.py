"""Vocabularies that a checkpoint has as a SentencePiece model alone, as mT5's and many older ones: converted once."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.data.tokens import load_tokenizer


def write_fast_tokenizer(folder: Path, name: str) -> None:
    """Writes tokenizer.json into a checkpoint that has a SentencePiece model (`*.model`) instead.

    Its token ids are SentencePiece's own, also where the model falls back to bytes for characters that it does not
    have, which transformers 4.57 leaves out of the conversion.

    Args:
        name: what messages call the checkpoint.

    Raises:
        TuneGridError: the SentencePiece model cannot be converted.
    """
    models = sorted(folder.glob("*.model"))
    if not models or (folder / "tokenizer.json").exists():
        return
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*byte fallback option")  # which is put right below
            tokenizer = load_tokenizer(folder)
        if not tokenizer.is_fast:
            return
        converted = json.loads(tokenizer.backend_tokenizer.to_str())
        if _falls_back_to_bytes(models[0]):
            _fall_back_to_bytes(converted)
    except Exception as error:  # the libraries raise many kinds
        reason = str(error.__cause__ or error).strip().split("\n")[0]
        raise TuneGridError(f"{name}: {models[0].name} cannot be read as a SentencePiece model: {reason}") from None
    (folder / "tokenizer.json").write_text(json.dumps(converted, ensure_ascii=False), encoding="utf-8")


def _falls_back_to_bytes(model: Path) -> bool:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    return any(processor.is_byte(piece) for piece in range(processor.get_piece_size()))


def _fall_back_to_bytes(tokenizer: dict[str, Any]) -> None:
    tokenizer["model"]["byte_fallback"] = True
    tokenizer["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, tokenizer["decoder"]]}
