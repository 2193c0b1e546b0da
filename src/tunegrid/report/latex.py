"""Text to LaTeX, and LaTeX to PDF."""

import os
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

from markupsafe import Markup

from tunegrid.common.errors import TuneGridError

TEX_HINT = "apt-get install latexmk texlive-latex-recommended texlive-fonts-recommended lmodern"
_SECONDS = 300  # a report takes about ten; more than this is a TeX that waits for something

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_\allowbreak{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "/": r"/\allowbreak{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    # After \\ these would be its argument or its star.
    "[": r"{[}",
    "]": r"{]}",
    "*": r"{*}",
    "–": "--",
    "—": "---",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "…": r"\dots{}",
    "†": r"\dag{}",
    "−": r"\ensuremath{-}",
    "→": r"\ensuremath{\rightarrow}",
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "₀": r"\ensuremath{_0}",
    "′": r"\ensuremath{'}",
    "\u00a0": "~",
    "\u202f": r"\,",
}
# The Greek letters that have a command of their own, by their names in Unicode.
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lamda Xi Pi Sigma Upsilon Phi Psi Omega"
).split()
_COMMANDS |= {
    unicodedata.lookup(f"GREEK {'SMALL' if name.islower() else 'CAPITAL'} LETTER {name}"): (
        rf"\ensuremath{{\{name.replace('amda', 'ambda')}}}"
    )
    for name in _GREEK
}
# What the filter puts between characters, as control characters, for these it has taken out of the text before.
_MARKS = {"\0": "{}", "\1": r"\allowbreak{}"}
# Two of these in a row would become a dash, a guillemet or a quotation mark.
_LIGATURE = re.compile(r"([-<>'`,!?])(?=[-<>'`,])")
# pdfLaTeX's T1 fonts have Latin-1 and these; anything else is printed as its code point.
_EXTENDED = set("ĂăĄąĆćČčĎďĐđĘęĚěĞğİıĹĺĽľŁłŃńŇňŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž")
_LONG_WORD = re.compile(r"[^\W_]{25,}")
_EVERY_FEW = re.compile("(.{8})")
_LONG_NAME, _INNER_POINT = re.compile(r"\S{15,}"), re.compile(r"(?<=[^\W\d_])\.(?=[^\W\d_])")  # www.statmt.org
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def escape(value: object) -> Markup:
    """Escapes a value for LaTeX so that it prints as the same text; every value of a template passes this filter.

    Control characters become spaces; a character that the fonts lack becomes its code point, [U+4E2D]. Markup is LaTeX
    already (what a template's macro made) and passes; data are never Markup.
    """
    if isinstance(value, Markup):
        return value
    text = _CONTROL.sub(" ", unicodedata.normalize("NFC", str(value)))
    # A very long word may be broken after every so many letters, and an address after its points, or it would stand out
    # of its column.
    text = _LONG_NAME.sub(lambda name: _INNER_POINT.sub(".\1", name[0]), text)
    text = _LONG_WORD.sub(lambda word: _EVERY_FEW.sub("\\1\1", word[0]), text)
    return Markup("".join(map(_escaped, _LIGATURE.sub("\\1\0", text))))


def _escaped(character: str) -> str:
    if character in _MARKS:
        return _MARKS[character]
    if character in _COMMANDS:
        return _COMMANDS[character]
    if " " <= character <= "~" or "\u00a1" <= character <= "\u00ff" or character in _EXTENDED:
        return character
    if unicodedata.category(character) in ("Zs", "Zl", "Zp"):
        return " "
    return rf"{{[}}U+\allowbreak{{}}{ord(character):04X}{{]}}"


def label(name: str) -> Markup:
    """A name with the characters that a file name and a LaTeX label may have."""
    return Markup(re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "table")


def tex_engine() -> str | None:
    """The program that makes the PDF: latexmk (with pdflatex), else tectonic, else None."""
    if shutil.which("latexmk") and shutil.which("pdflatex"):
        return "latexmk"
    return "tectonic" if shutil.which("tectonic") else None


def compile_pdf(folder: Path, epoch: int = 0) -> Path:
    """Compiles `folder`/report.tex to report.pdf; `epoch`: the date in the PDF, seconds, so that it is reproducible.

    LaTeX may run no program and works in a folder of its own; its log stays as report.log. Raises TuneGridError with
    the relevant line of the log.
    """
    engine = tex_engine()
    if engine is None:
        raise TuneGridError(
            f"No TeX found, so no PDF: the .tex and HTML files are in {folder}. To install it: {TEX_HINT}"
        )
    build = folder / "build"
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    commands = {
        "latexmk": "latexmk -norc -pdf -no-shell-escape -interaction=nonstopmode -halt-on-error -outdir=build "
        "report.tex",
        "tectonic": "tectonic --untrusted --keep-logs --outdir build report.tex",
    }
    environment = os.environ | {
        "SOURCE_DATE_EPOCH": str(epoch),
        "FORCE_SOURCE_DATE": "1",
        "TZ": "UTC",
        "max_print_line": "1000",
    }
    try:
        done = subprocess.run(
            commands[engine].split(),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
        log = build / "report.log"
        output = log.read_bytes() if log.exists() else done.stdout + done.stderr
        (folder / "report.log").write_bytes(output)
        if done.returncode != 0 or not (build / "report.pdf").exists():
            raise TuneGridError(
                f"{folder / 'report.tex'}: LaTeX failed: {_relevant(output)}. Log: {folder / 'report.log'}"
            )
        os.replace(build / "report.pdf", folder / "report.pdf")
    except subprocess.TimeoutExpired as error:
        raise TuneGridError(f"{folder / 'report.tex'}: LaTeX did not end in {_SECONDS} seconds.") from error
    finally:
        shutil.rmtree(build, ignore_errors=True)
    return folder / "report.pdf"


def _relevant(log: bytes) -> str:
    """First error of a LaTeX log, with the line of the source where it arose."""
    lines = log.decode("utf-8", errors="replace").splitlines()
    for number, text in enumerate(lines):
        if text.startswith("!") or text.startswith("error:"):
            source = next((line for line in lines[number + 1 : number + 12] if line.startswith("l.")), "")
            return f"{text} {source}".strip().rstrip(".")
    return next((line for line in reversed(lines) if line.strip()), "nothing was said")
