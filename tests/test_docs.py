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


def anchors(file: Path) -> set[str]:
    """The anchors of a Markdown file's headings."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
