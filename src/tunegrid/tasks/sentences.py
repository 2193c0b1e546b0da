"""Sentences of a text, by a rule that needs no model: a line break, or white space after a full stop, ! or ?."""

from __future__ import annotations

import re

END = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order; an abbreviation with a full stop ends one too early."""
    return [sentence for sentence in END.split(text.strip()) if sentence]
