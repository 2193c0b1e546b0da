"""Text files of documents, with blank lines between them."""

from collections.abc import Iterator
from pathlib import Path

from tunegrid.common.errors import TuneGridError


def documents_in(path: Path) -> Iterator[str]:
    """Yields the documents of a text file, each once, in their order. Raises TuneGridError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TuneGridError(f"{path}: not UTF-8 (byte {error.start:,}). Save the file as UTF-8.") from None
    except OSError as error:
        raise TuneGridError(f"{path}: {error.strerror}.") from None
    seen, lines = set(), []
    for line in [*text.splitlines(), ""]:
        if line.strip():
            lines.append(line.strip())
            continue
        if lines and (document := " ".join(lines)) not in seen:
            seen.add(document)
            yield document
        lines = []
