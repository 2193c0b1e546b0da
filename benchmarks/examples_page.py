"""How fast the page of examples is in Chromium, and what memory it takes, at the size of the paper study.

Usage: python benchmarks/examples_page.py [FOLDER] [--rows 25000 10570 2999] [--turns 5] [--csv FILE]

Makes a study of reviews, questions and sentences as many as the paper's test sets have, with made-up texts and answers
of 27 runs (nine cells of three seeds), of the untuned models and of the baselines; writes its page to FOLDER (default:
a temporary folder), and opens it in Chromium without a window, from the disk. A folder that holds the page already is
measured as it is.

Columns: seconds until the result is drawn, median of the turns and range; CPU seconds of all of Chromium's processes in
that time; MB of JavaScript objects after a collection, and of the page's process, with arrays of scores.
A first view is in a browser and a profile of its own, from the address on. The page acts on the reviews as a reader
would: it clicks the button of the next page, and sets the fields.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TASKS = ("sentiment", "qa", "translation")
WORDS = {"text": 230, "context": 120, "question": 11, "source": 20}  # of each column of a test row, about
VOCABULARY = 3000
RESAMPLES = 20  # of the intervals that the page prints: they are not what is measured
HEADS = ("task", "action", "turns", "seconds", "least", "most", "cpu", "objects_mb", "process_mb", "rows")
Figures = tuple[float, float, float, float, str]  # seconds, CPU seconds, MB of objects and of the process, rows shown
# Acts, and resolves to the milliseconds until the rows that follow are drawn: a new count stands above them.
ACT = """new Promise((resolve) => {
  const start = performance.now(), old = document.getElementById("count");
  const look = () => {
    const now = document.getElementById("count");
    const drawn = () => resolve([performance.now() - start, now.textContent]);
    if (now && now !== old) requestAnimationFrame(() => setTimeout(drawn));
    else setTimeout(look, 1);
  };
  %s
  look();
})"""
SET = """{ const field = document.querySelector('.filters [name="%s"]');
  field.value = field.options[%s].value; field.dispatchEvent(new Event("change")); }"""
TYPE = """{ const field = document.querySelector('.filters [name="text"]');
  field.value = "%s"; field.dispatchEvent(new Event("input")); }"""
NEXT = "[...document.querySelectorAll('.bar button')].find((each) => each.textContent === 'Next →').click();"
ACTIONS = {
    "next page": NEXT,
    "answers of a cell": SET % ("a", 1),
    "that are wrong in all its seeds": SET % ("is", 2),
    "compared with another cell": SET % ("b", 9),
    "A right, B wrong": SET % ("is", 5),
    "order by how divided": SET % ("sort", 2),
    "a word, first time": TYPE % "word2999",  # reads all rows; 0.3 s of it is the wait for the end of the typing
    "another word": TYPE % "word1234",
}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "page"
        if not (folder / "index.html").is_file():
            make(folder, Path(scratch) / "results", dict(zip(TASKS, options.rows, strict=True)))
        with options.csv.open("w", newline="") if options.csv else sys.stdout as file:
            writer = csv.writer(file)
            writer.writerow(HEADS)
            for row in measure(folder, options.turns):
                writer.writerow(row)
                file.flush()


def make(folder: Path, results: Path, rows: dict[str, int]) -> None:
    """Writes the page of a made-up study; tells its size, and the seconds that the page itself took, on stderr."""
    sys.path.insert(0, str(ROOT))
    import numpy as np
    import pandas as pd

    from tests.support.study_on_disk import expected_study, write_study
    from tunegrid.report.examples.pages import write_examples
    from tunegrid.results.read import read_results
    from tunegrid.results.tables import build_tables

    study = expected_study(seeds=(1, 2, 3))
    study = replace(study, tasks=tuple(sorted(study.tasks, key=lambda task: TASKS.index(task.name))))
    generator = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(VOCABULARY)])
    for task in study.tasks:
        path = write_study(results, replace(study, tasks=(task,)), rows[task.name])
        file = path / "data" / task.name / "test.parquet"
        frame = pd.read_parquet(file)
        for column, length in WORDS.items():
            if column in frame:
                lengths = generator.gamma(4, length / 4, len(frame)).astype(int) + 1
                frame[column] = [" ".join(words[generator.integers(0, VOCABULARY, size)]) for size in lengths]
        frame.to_parquet(file)
    frames = build_tables(path, study, resamples=RESAMPLES)
    start = time.process_time()
    write_examples(read_results(path, study), frames, folder)
    seconds = time.process_time() - start
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"page of {rows}: {size / 1e6:.0f} MB, written in {seconds:.1f} s of CPU", file=sys.stderr)


def measure(folder: Path, turns: int) -> Iterator[list[object]]:
    """Rows of the table."""
    for task in TASKS:
        yield _row(task, "first view", [_first_view(folder, task) for _ in range(turns)])
    acted: dict[str, list[Figures]] = {action: [] for action in ACTIONS}
    for _ in range(turns):
        with opened(folder, TASKS[0]) as (page, *_):
            for action, script in ACTIONS.items():
                before = page.cpu()
                milliseconds, count = page.evaluate(ACT % script)
                acted[action].append((milliseconds / 1000, page.cpu() - before, *page.memory(), count))
    for action, figures in acted.items():
        yield _row(TASKS[0], action, figures)


def _first_view(folder: Path, task: str) -> Figures:
    with opened(folder, task) as (page, seconds, cpu):
        return seconds, cpu, *page.memory(), page.evaluate("document.getElementById('count').textContent")


def _row(task: str, action: str, figures: list[Figures]) -> list[object]:
    seconds, cpu, objects, process, counts = zip(*figures, strict=True)
    times = [f"{value:.2f}" for value in (median(seconds), min(seconds), max(seconds), median(cpu))]
    return [task, action, len(seconds), *times, f"{median(objects):.0f}", f"{median(process):.0f}", counts[-1]]


# -- Chromium, by its own protocol over a pair of pipes ---------------------------------------------------------------


class Page:
    """A tab of a browser that answers commands of Chromium's DevTools protocol."""

    def __init__(self, commands: int, answers: int) -> None:
        self.commands, self.answers = os.fdopen(commands, "wb", buffering=0), os.fdopen(answers, "rb", buffering=0)
        self.number, self.rest, self.session = 0, b"", None
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command. Raises RuntimeError with the browser's words where it failed."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        self.commands.write(json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                if not (read := os.read(self.answers.fileno(), 1 << 16)):
                    raise RuntimeError(f"Chromium ended at {method}")
                self.rest += read
            text, _, self.rest = self.rest.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def evaluate(self, script: str) -> Any:
        """The value of an expression, or what its promise resolves to. Raises RuntimeError for an exception of it."""
        answer = self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", script))
        return answer["result"]["value"]

    def memory(self) -> tuple[float, float]:
        """MB of JavaScript objects, and of the page's process, after a collection of garbage."""
        self.command("HeapProfiler.collectGarbage")
        objects = self.command("Runtime.getHeapUsage")["usedSize"]
        resident = [_resident(process["id"]) for process in self._processes() if process["type"] == "renderer"]
        return objects / 1e6, max(resident) / 1e6

    def cpu(self) -> float:
        """CPU seconds of all of the browser's processes since they began."""
        return sum(process["cpuTime"] for process in self._processes())

    def _processes(self) -> list[dict[str, Any]]:
        session, self.session = self.session, None  # a command to the browser, not to the page
        processes = self.command("SystemInfo.getProcessInfo")["processInfo"]
        self.session = session
        return processes


def _resident(process: int) -> int:
    """Bytes of memory of a process, its share of what it shares (PSS)."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@contextmanager
def opened(folder: Path, task: str) -> Iterator[tuple[Page, float, float]]:
    """(the page of a task in a fresh Chromium, seconds and CPU seconds from the address to its rows on the screen)."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"This needs one of {', '.join(BROWSERS)}.")
    heard, commands = os.pipe()
    answers, spoken = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        # Chromium listens on descriptor 3 and answers on 4.
        shell = ["sh", "-c", f'exec "$0" "$@" 3<&{heard} 4>&{spoken}', browser, *flags]
        process = subprocess.Popen(shell, pass_fds=(heard, spoken), stderr=subprocess.DEVNULL)
        os.close(heard)
        os.close(spoken)
        try:
            page = Page(commands, answers)
            address = f"{(folder.resolve() / 'index.html').as_uri()}#task={task}"
            before, start = page.cpu(), time.perf_counter()
            page.command("Page.navigate", url=address)
            while not page.evaluate("document.querySelector('main[aria-busy=\"false\"] article.row') !== null"):
                time.sleep(0.002)
            page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(1))))")
            yield page, time.perf_counter() - start, page.cpu() - before
        finally:
            process.terminate()
            process.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where the page lies, or is written")
    parser.add_argument("--rows", nargs=3, type=int, default=(25_000, 10_570, 2_999), help=f"of {', '.join(TASKS)}")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--csv", type=Path, help="write the table to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
