"""Mutations of command lines: options that are missing, misspelt, of another command, or have odd values."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.mutations import studies
from tests.mutations.execute import Case

SHARED = ["--task", "news", "--model", "bart", "--method", "instruct"]
CELL = ["--task", "qa", "--model", "t5", "--method", "lora"]
# Commands whose right call ends at once, with a result or because nothing is there yet. Those that serve, download or
# compute for long are called with what they refuse.
COMMANDS = {
    "check": ["study.yaml"],
    "plan": ["study.yaml", "--device", "t4", "--csv", "plan.csv"],
    "summary": ["study.yaml"],
    "status": ["study.yaml"],
    "clean": ["study.yaml", "--dry-run"],
    "pin": ["study.yaml", "--check"],
    "fetch-data": ["study.yaml", "--task", "reviews", "--settings", "0", "--log", "log.txt"],
    "fetch-model": ["study.yaml", "--model", "own", "--settings", "0"],
    "pretrain": ["study.yaml", "--model", "small", "--settings", "0"],
    "tokenise": ["study.yaml", "--task", "qa", "--model", "t5", "--log", "log.txt"],
    "train": ["study.yaml", *CELL, "--seed", "1", "--settings", "0", "--attempt", "1", "--attempts", "1"],
    "search-trial": ["study.yaml", *CELL, "--factor", "0.3", "--settings", "0"],
    "search-choice": ["study.yaml", *CELL],
    "evaluate": ["study.yaml", *CELL, "--seed", "1"],
    "baseline": ["study.yaml", "--task", "reviews", "--name", "majority-class"],
    "tables": ["study.yaml"],
    "report": ["study.yaml", "--no-pdf"],
    "compare": ["results/base", "results/other"],
    "audit": ["audited", "--csv", "findings.csv", "--pairs", "pairs.csv"],
    "predict": ["study.yaml", "--task", "reviews", "--input", "reviews.csv", "--output", "answers.jsonl"],
    "export": ["study.yaml", "--task", "reviews", "--as", "model", "--language", "en", "exported"],
    "schema": ["schemas"],
    "new": ["reviews.csv", "--kind", "sentiment", "--column", "text=text", "--labels", "bad,good", "--test-share", "0.3",
            "--name", "mine", "--output", "new.yaml", "--mini"],
    "fetch-pairs": ["newer.yaml", "--task", "news", "--pairs", "human"],
    "fetch-domain": ["newer.yaml", "--task", "news", "--domain", "away"],
    "train-reward": ["newer.yaml", "--task", "news", "--model", "bart", "--reward", "judge", "--settings", "0"],
    "tokenise-mixture": ["newer.yaml", "--model", "bart", "--method", "instruct"],
    "train-mixture": ["newer.yaml", "--model", "bart", "--method", "instruct", "--seed", "1", "--settings", "0"],
    "share-training": ["newer.yaml", *SHARED, "--seed", "1"],
    "evaluate-wordings": ["newer.yaml", *SHARED, "--seed", "1"],
    "evaluate-domains": ["newer.yaml", "--task", "news", "--model", "bart", "--method", "full", "--seed", "1"],
    "baseline-domains": ["newer.yaml", "--task", "news", "--name", "copy"],
    "compress": ["newer.yaml", "--task", "news", "--model", "bart", "--method", "full", "--seed", "1", "--form", "bf16"],
    "judge": ["newer.yaml", "--task", "news", "--model", "bart", "--method", "dpo", "--seed", "1"],
    "serve-model": ["newer.yaml", "--task", "news", "--host", "127.0.0.1", "--port", "0", "--queue-rows", "8"],
}  # fmt: skip
ODD = ["", " ", "-", "--", "-1", "0", "nan", "1e400", "x" * 300, "/dev/null/x", ".", "..", "folder", "nowhere", "ü\u200b",
       "{task}", "$HOME", "*", "study.yaml", "reviews.csv", "damaged.yaml", "9" * 30, "\udcff", "a\nb", "t5"]  # fmt: skip


def prepare(folder: Path) -> None:
    """Writes a study, its files, a folder, and a damaged file."""
    studies.prepare(folder)
    (folder / "study.yaml").write_text(studies.STUDY, encoding="utf-8")
    (folder / "newer.yaml").write_text(studies.NEWER, encoding="utf-8")
    (folder / "damaged.yaml").write_bytes(b"study: [\xff")
    (folder / "folder").mkdir()
    (folder / "audited").mkdir()
    (folder / "audited" / "scores.csv").write_text("task,model\n1,2\n", encoding="utf-8")


def mutate(random: Random, folder: Path) -> Case:
    """A command line with one or two mutations."""
    command = random.choice(list(COMMANDS))
    arguments, names = list(COMMANDS[command]), []
    (folder / "new.yaml").unlink(missing_ok=True)
    for _ in range(random.choice([1, 1, 2])):
        name = random.choice(["odd", "odd", "odd", "removed", "added", "doubled", "of another", "misspelt", "swapped"])
        place = random.randrange(len(arguments)) if arguments else 0
        what = arguments[place] if arguments else ""
        match name:
            case "removed" if arguments:
                del arguments[place]
            case "odd" if arguments:
                odd = random.choice(ODD)
                arguments[place], name = odd, f"{odd:.20}"
            case "added":
                odd = random.choice(ODD)
                arguments.insert(place, odd)
                what, name = "more", f"{odd:.20}"
            case "doubled" if arguments:
                arguments.insert(place, arguments[place])
            case "of another":
                other = random.choice(COMMANDS[random.choice(list(COMMANDS))])
                arguments.append(other)
                what, name = "more", other
            case "misspelt" if arguments:
                arguments[place] = what[:-1]
            case "swapped" if arguments:
                other = random.randrange(len(arguments))
                arguments[place], arguments[other] = arguments[other], arguments[place]
        names.append(f"{what}: {name}")
    return Case(f"{command}: {' + '.join(names)}", ((command, *arguments),))
