"""What the documents take from the code is as the code has it."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT


def test_generated_parts_of_the_documents_are_up_to_date():
    command = [sys.executable, ROOT / "docs" / "generate.py", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_links_and_files_that_the_documents_name_exist():
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
    wrong = []
    for name in listed:
        if not name.endswith(".md"):
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\((?!http)([^)#\s]*)(?:#([\w-]+))?\)", text):
            file = (ROOT / name).parent / target if target else ROOT / name
            if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
                wrong.append(f"{name}: {target}#{anchor}")
        for path in re.findall(r"`((?:\w+/)+\w+\.py)`", text):
            # The pages on extending TuneGrid name files that their reader writes.
            if not any(f"/{file}".endswith(f"/{path}") for file in listed) and f"`{path}`:\n\n```" not in text:
                wrong.append(f"{name}: {path}")
    assert not wrong, "\n".join(wrong)


def test_tests_that_the_documents_name_exist():
    named = set()
    for file in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md")]:
        named |= set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", file.read_text(encoding="utf-8")))
    assert len(named) > 80, "docs/inputs.md has not been read"
    gone = [f"{file}::{name}" for file, name in sorted(named) if not defines(ROOT / file, name)]
    assert not gone, "\n".join(gone)


def test_every_row_on_inputs_names_its_test():
    rows = re.findall(r"^\|(?! input \|| --- ).*$", (ROOT / "docs/inputs.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [row for row in rows if "`tests/" not in row.rstrip("| ").rpartition("|")[2]] == []


def defines(file: Path, name: str) -> bool:
    return file.is_file() and re.search(rf"^def {name}\(", file.read_text(encoding="utf-8"), re.MULTILINE) is not None


def anchors(file: Path) -> set[str]:
    """The anchors of a Markdown file's headings."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
