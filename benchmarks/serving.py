"""`tunegrid serve-model` under load: latency and throughput, and a soak of many requests. All on the loopback device.

Usage: python benchmarks/serving.py FOLDER load|soak [options]; --help lists them.

A translation model answers the rows of a test set: the packaged T5 after a short training, or T5-small's shape with
random weights. Clients are threads with a connection each, which send the next row as soon as they have an answer.
Every answer is compared with that of `tunegrid predict` in the same form, which read the rows from a file.

`load` starts all servers at once and lets them take turns, each idle while another is asked: transformers with LoRA
merged, CTranslate2 in fp32 and int8, and transformers' own `pipeline` behind the same server without batching. `soak`
sends many requests to one server, looks at its memory, and stops it with SIGTERM at the end, with requests under way.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from peers.ratios import ratio
from peers.work import Work, real, run, study_of

CELL = ("--task", "translation", "--model", "t5", "--method", "lora")
SIDES: dict[str, tuple[str, ...]] = {
    "merged": ("--form", "plain"),
    "ctranslate2": ("--engine", "ctranslate2"),
    "int8": ("--form", "int8"),
}
PIPELINE = "pipeline"
WORDS = {"merged": "transformers, LoRA merged", "ctranslate2": "CTranslate2, fp32", "int8": "CTranslate2, int8"}
WORDS |= {PIPELINE: "transformers' `pipeline`, one request at a time"}
MINI = {"max_source_length": 64, "max_target_length": 64, "generation": {"max_new_tokens": 48}}
LOOKS = 20  # at the memory of a server in a soak


def main() -> None:
    options = parser().parse_args()
    work = prepared(options)
    print(f"Load of the machine before (1, 5, 15 minutes): {os.getloadavg()}, {os.cpu_count()} CPUs\n")
    (load if options.mode == "load" else soak)(work, options)
    print(f"\nLoad of the machine after: {os.getloadavg()}")


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("folder", type=Path, help="folder of the study and its runs; made where they are missing")
    arguments.add_argument("mode", choices=("load", "soak"))
    arguments.add_argument("--model", choices=("mini", "t5-small"), default="mini")
    arguments.add_argument("--threads", type=int, default=1, help="of each server's computation")
    arguments.add_argument("--sides", nargs="+", choices=(*SIDES, PIPELINE), default=[*SIDES, PIPELINE])
    arguments.add_argument("--clients", nargs="+", type=int, default=[1, 8, 32])
    arguments.add_argument("--rounds", type=int, default=3, help="turns of each server with each number of clients")
    arguments.add_argument("--seconds", type=float, default=6, help="of a turn")
    arguments.add_argument("--requests", type=int, default=100_000, help="of a soak")
    arguments.add_argument("--most", type=float, default=330, help="seconds after which a soak sends no more")
    return arguments


# -- what is served ---------------------------------------------------------------------------------------------------


def prepared(options: argparse.Namespace) -> Work:
    """A study with a run of LoRA, and its test rows."""
    folder = options.folder.resolve() / options.model
    if options.model == "mini":
        source = {"kind": "generated", "rows": {"train": 2000, "validation": 50, "test": 1000}}
        training = {"learning_rate": 1.0e-2, "max_steps": 70, "batch_size": 32}
        rows = {**MINI, "source": source, "evaluation_batch_size": 64}
        packaged = {"kind": "packaged", "name": "t5"}
        study = study_of("translation", "t5", packaged, rows, training, options.threads, "fp32", "cpu")
        work = Work(folder, "translation", "t5", study).prepare()
    else:
        checkpoints = folder.parent / "checkpoints"
        work = real(folder, checkpoints, "translation", "t5", rows=8, test_rows=200, batch=8, threads=options.threads)
    if not (work.results / "runs/translation/t5/lora/seed-1/train.json").is_file():
        run(work.command("train", *CELL, "--seed", "1"), folder)
    return work


def expected(work: Work, side: str) -> list[str]:
    """The answers to all test rows, as `tunegrid predict` gives them in one go."""
    file = work.folder / f"answers-{side}.jsonl"
    options = SIDES.get(side, SIDES["merged"])
    rows = work.results / "data/translation/test.parquet"
    run(work.command("predict", *CELL, *options, "--input", str(rows), "--output", str(file)), work.folder)
    return [json.loads(line)["prediction"] for line in file.read_text(encoding="utf-8").splitlines()]


def command(work: Work, side: str) -> list[str]:
    if side != PIPELINE:
        return work.command("serve-model", *CELL, *SIDES[side], "--port", "0", "--queue-rows", "4096")
    exported = work.folder / "exported"
    run(work.command("export", *CELL, "--force", str(exported)), work.folder)
    server = Path(__file__).resolve().parent / "peers/pipeline_server.py"
    return [sys.executable, str(server), str(work.file), "translation", "t5", str(exported)]


@dataclass
class Server:
    """A server that listens."""

    process: subprocess.Popen
    port: int
    said: list[str] = field(default_factory=list)

    @property
    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    def stop(self) -> str:
        """Sends SIGTERM; returns the last line that it says."""
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stderr.read().splitlines()
        self.process.wait(60)
        return rest[-1] if rest else ""


@contextmanager
def serving(work: Work, side: str) -> Iterator[Server]:
    process = subprocess.Popen(
        command(work, side), cwd=work.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("http://"):
                yield Server(process, int(line.split("/")[2].rpartition(":")[2]))
                return
        raise SystemExit(f"{side}: the server did not start:\n{''.join(said)[-3000:]}")
    finally:
        process.kill()
        process.wait()


# -- who asks ---------------------------------------------------------------------------------------------------------


@dataclass
class Answers:
    """What the clients of a turn got. `seconds`: of each answer; `lost`: sentences on requests without one."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    lost: list[str] = field(default_factory=list)
    wall: float = 0.0

    def quantile(self, share: float) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.wall


class Asking:
    """Clients that send rows in turn until enough were sent, time is up, or they are told to stop."""

    def __init__(
        self, server: Server, rows: list[dict[str, str]], answers: list[str], clients: int, requests: int, until: float
    ) -> None:
        self.server, self.rows, self.answers = server, rows, answers
        self.requests, self.until = requests, until
        self.sent = 0
        self.stopping = False
        self.got = Answers()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def run(self) -> Answers:
        started = time.perf_counter()
        self.start()
        self.join()
        self.got.wall = time.perf_counter() - started
        return self.got

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    @property
    def alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _next(self) -> int | None:
        with self._lock:
            if self.sent >= self.requests or time.perf_counter() >= self.until or self.stopping:
                return None
            self.sent += 1
            return (self.sent - 1) % len(self.rows)

    def _ask(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        while (number := self._next()) is not None:
            began = time.perf_counter()
            try:
                connection.request("POST", "/predict", json.dumps(self.rows[number]), headers)
                response = connection.getresponse()
                status, content = response.status, json.loads(response.read())
            except (OSError, HTTPException, ValueError) as error:
                status, content = 0, {"error": f"{type(error).__name__}: {error}"}
                connection.close()
            took = time.perf_counter() - began
            with self._lock:
                if status == 200:
                    self.got.seconds.append(took)
                    self.got.wrong += content["prediction"] != self.answers[number]
                elif not (self.stopping and status in (0, 503)):  # not accepted any more, and told so
                    self.got.lost.append(f"{status}: {content.get('error')}")
        connection.close()


def rows_of(work: Work) -> list[dict[str, str]]:
    return [{"source": row["source"]} for row in work.rows("test")]


# -- modes ------------------------------------------------------------------------------------------------------------


def load(work: Work, options: argparse.Namespace) -> None:
    rows, answers = rows_of(work), {side: expected(work, side) for side in options.sides}
    turns: dict[tuple[str, int], list[Answers]] = {(s, c): [] for s in options.sides for c in options.clients}
    with ExitStack() as stack:
        servers = {side: stack.enter_context(serving(work, side)) for side in options.sides}
        for side, server in servers.items():
            Asking(server, rows, answers[side], 2, 8, time.perf_counter() + 60).run()  # warm
        for _ in range(options.rounds):
            for clients in options.clients:
                for side, server in servers.items():
                    until = time.perf_counter() + options.seconds
                    turns[side, clients].append(Asking(server, rows, answers[side], clients, 10**9, until).run())
    print(table(turns))


def table(turns: dict[tuple[str, int], list[Answers]]) -> str:
    heads = ("clients", "server", "p50, ms", "p95, ms", "requests / s", "times the pipeline's [95 %]", "other answers")
    lines = ["| " + " | ".join([*heads, "lost"]) + " |", "| ---: | --- " + "| ---: " * 6 + "|"]
    for (side, clients), own in sorted(turns.items(), key=lambda item: item[0][1]):
        p50, p95 = (1000 * sum(turn.quantile(share) for turn in own) / len(own) for share in (0.5, 0.95))
        rate = sum(turn.rate for turn in own) / len(own)
        times = "–"
        if base := turns.get((PIPELINE, clients)):
            middle, low, high = ratio([(other.rate, turn.rate) for turn, other in zip(own, base, strict=True)])
            times = f"{middle:.2f}" + (f" [{low:.2f}, {high:.2f}]" if low == low else "")
        wrong, count = sum(turn.wrong for turn in own), sum(len(turn.seconds) for turn in own)
        lost = sum(len(turn.lost) for turn in own)
        numbers = (f"{p50:.1f}", f"{p95:.1f}", f"{rate:.1f}", times, f"{wrong} of {count}", f"{lost}")
        lines.append("| " + " | ".join([f"{clients}", WORDS[side], *numbers]) + " |")
    return "\n".join(lines)


def soak(work: Work, options: argparse.Namespace) -> None:
    side, clients = options.sides[0], options.clients[-1]
    rows, answers = rows_of(work), expected(work, side)
    with serving(work, side) as server:
        asking = Asking(server, rows, answers, clients, options.requests, time.perf_counter() + options.most)
        memory, started = [], time.perf_counter()
        asking.start()
        while asking.sent < options.requests - clients and asking.alive:
            if asking.sent >= options.requests / LOOKS * len(memory):
                memory.append(server.memory)
            time.sleep(0.02)
        memory.append(server.memory)
        wall = time.perf_counter() - started
        asking.stopping = True
        last = server.stop()
        asking.join()
        got = asking.got
    rate = len(got.seconds) / wall
    print(f"{WORDS[side]}, {clients} clients: {asking.sent:,} requests in {wall:.0f} s, {rate:.0f} a second")
    print(f"answered {len(got.seconds):,}; lost {len(got.lost)}; other than the offline prediction {got.wrong}")
    print(f"resident memory, MiB, at each {100 / LOOKS:g} %: {', '.join(f'{size / 2**20:.1f}' for size in memory)}")
    print(f"SIGTERM: {last}")
    for sentence in got.lost[:5]:
        print(sentence)


if __name__ == "__main__":
    main()
